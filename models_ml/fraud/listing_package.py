"""Train the listing model that comes with the package: `python -m models_ml.fraud.listing_package`.

On the sample worlds alone, without anybody's reviews; the same code makes the same bytes. To be
done again whenever features, text signals or the sample world change.
"""

from __future__ import annotations

import sys

from models_ml.fraud.listing_model import PACKAGED
from models_ml.fraud.listing_train import train_listing

if __name__ == "__main__":
    trained = train_listing(on_step=lambda step: print(step, file=sys.stderr))
    PACKAGED.write_bytes(trained.bundle)
    print(f"{PACKAGED.name}: {len(trained.bundle):,} bytes, {trained.metrics}")
