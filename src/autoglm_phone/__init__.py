"""AutoGLM-Phone: a private assistant server that reads, sees and hears on your own hardware."""

from autoglm_phone.weights.memory_estimate import estimate_memory

__all__ = ["__version__", "estimate_memory"]

__version__ = "0.1.0"
