"""Where records come from: sites over HTTP and table files."""
