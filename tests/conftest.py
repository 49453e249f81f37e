"""Settings that must be in place before NumPy, torch or matplotlib are imported."""

import os

# No screen is needed.
os.environ["MPLBACKEND"] = "Agg"

# `make test` runs one worker a core; a thread pool in each of them would only make them wait for one another.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
