"""Which advertisers are probably scammers, learnt from a labelled table, and how well."""
