"""What training changes in the frozen diffusion model, and how one changed model becomes another without reloading."""

from tempgen.models.adapters.add import add_adapter
from tempgen.models.adapters.state import adapter_state, load_adapter_state

__all__ = ["adapter_state", "add_adapter", "load_adapter_state"]
