"""OpenAI's Responses API on top of chats: its wire, its items, its events, and what it remembers."""
