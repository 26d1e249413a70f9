"""HTTP: wire schemas, conversion, streams, errors, the page. Knows the chat service, not what stands behind it."""
