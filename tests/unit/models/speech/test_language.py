from autoglm_phone.models.speech.language import language_name, text_language, to_simplified, word_space


def test_chinese_becomes_simplified() -> None:
    assert to_simplified("打開設置,關閉藍牙", "zh") == "打开设置,关闭蓝牙"
    assert to_simplified("打开设置", "zh") == "打开设置"
    assert to_simplified("開", "yue") == "开"


def test_other_languages_keep_their_characters() -> None:
    assert to_simplified("電話を開く", "ja") == "電話を開く"


def test_names_and_spaces() -> None:
    assert [language_name(code) for code in ("en", "haw", "ht")] == ["English", "Hawaiian", "Haitian Creole"]
    assert (word_space("en"), word_space("zh")) == (" ", "")


def test_a_translation_is_english_whatever_is_spoken() -> None:
    assert (text_language("transcribe", "zh"), text_language("translate", "zh")) == ("zh", "en")
