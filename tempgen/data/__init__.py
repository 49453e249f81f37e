"""From a recording on disk to windows of BOLD: readers, simulation, preprocessing, store, splits, windows."""
