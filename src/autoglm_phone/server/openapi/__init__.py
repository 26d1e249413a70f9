"""The OpenAPI document: what every endpoint takes and gives. Written down here, held to the routes by tests."""
