"""The forms of answers. Nothing is built with them: they describe what the forms of `server` write, and tests compare."""
