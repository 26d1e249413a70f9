"""llama.cpp's CPU kernels built for this machine, with products of our own for 5- and 8-bit weights."""
