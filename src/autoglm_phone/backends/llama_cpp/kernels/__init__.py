"""llama.cpp's CPU kernels built for this machine, with matrix products of our own."""
