"""Settings that must be in place before NumPy, torch or matplotlib are imported."""

import os
import signal

# No screen is needed.
os.environ["MPLBACKEND"] = "Agg"

# `make test` runs one worker a core; a thread pool in each of them would only make them wait for one another.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# A run in the background of a script inherits that Ctrl-C is ignored; processes that tests start and interrupt must not.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
