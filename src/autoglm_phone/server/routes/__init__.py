"""The endpoints: convert, call the service, convert back."""
