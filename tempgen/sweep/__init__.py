"""Many tasks on one machine or a cluster: what they are, what runs them, how far they are. Knows no analysis."""
