"""Which sequence runs next, and where its keys and values live. No torch, no llama.cpp, no HTTP."""
