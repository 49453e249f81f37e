"""Is a recording sound? What can be told from its store, before anything is decoded."""

from tempgen.data.quality.store import store_quality
from tempgen.data.quality.summary import describe_quality, quality_map, region_quality

__all__ = ["describe_quality", "quality_map", "region_quality", "store_quality"]
