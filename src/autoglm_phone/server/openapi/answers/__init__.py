"""The forms of answers. Nothing is built with them: they describe what the server's forms write, and tests compare."""
