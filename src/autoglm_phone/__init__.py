"""AutoGLM-Phone: a private assistant server that reads, sees and hears on your own hardware."""

__version__ = "0.1.0"
