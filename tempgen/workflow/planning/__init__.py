"""What an analysis takes before anything of it runs: trials, windows, bytes, memory, floating-point operations, hours."""

from tempgen.workflow.planning.devices import DEVICES, Device, get_device
from tempgen.workflow.planning.plan import Plan, Task, plan_analysis

__all__ = ["DEVICES", "Device", "Plan", "Task", "get_device", "plan_analysis"]
