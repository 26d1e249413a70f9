"""Chat templates of families whose files often come without one, known by their control tokens."""

from autoglm_phone.text.tokenizer import Tokenizer

# The form of GLM-4, GLM-4.1V and their fine-tunes, AutoGLM-Phone-9B among them. Turns have no end marker: the next
# role's token ends them. Source: the chat template in GLM-4.1V-9B-Thinking's repository; this says the same of texts
# and pictures.
GLM4 = (
    "[gMASK]<sop>{% for message in messages %}<|{{ message.role }}|>\n"
    "{% if message.content is string %}{{ message.content }}{% else %}{% for item in message.content %}"
    "{% if item.type == 'image' %}<|begin_of_image|><|image|><|end_of_image|>{% else %}{{ item.text }}{% endif %}"
    "{% endfor %}{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
_GLM4_TOKENS = frozenset({"[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>"})


def known_template(tokenizer: Tokenizer) -> str:
    """Empty for a vocabulary of no known family."""
    return GLM4 if tokenizer.special_tokens.keys() >= _GLM4_TOKENS else ""
