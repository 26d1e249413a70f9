"""What a user can set, where it comes from, and what it means on this machine."""

from autoglm_phone.settings.fields import Settings
from autoglm_phone.settings.hardware import Hardware, this_machine
from autoglm_phone.settings.load import load_settings
from autoglm_phone.settings.resolve import Resolved, resolve

__all__ = ["Hardware", "Resolved", "Settings", "load_settings", "resolve", "this_machine"]
