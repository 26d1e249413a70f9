"""The one release of llama.cpp that this program knows, inside one package."""

PACKAGE = "xllamacpp"
VERSION = "2026.10.11549"
# Of its source distribution, for those who build kernels out of it.
ARCHIVE = f"{PACKAGE}-{VERSION}.tar.gz"
ARCHIVE_SHA256 = "c17ee1163006f70726abb9f72137830818f3d8cb60bfc34cb232d08428eaa22b"
