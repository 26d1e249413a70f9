"""A phone agent's dialogue in text: its manual, the screens it comes by, and the answers that stand in its history.

All made up here, in the form of the agent protocol: a screen is a list of elements with boxes from 0 to 999. Screens of
one session have much in common, as those of one app do: status bar, title, tabs, and most of the list after a swipe.
"""

import random
from pathlib import Path

from benchmarks.prompts import Message, assistant, user

MANUAL = Path(__file__).with_name("phone_manual.txt")
TASK = "Find a quiet hotel near the old harbour for two nights from Friday, under 120 a night, and note its price."
STEPS = 10
ROWS, ROW_HEIGHT, SCROLLED_ROWS = 5, 132, 2
FIRST = ("Blue", "Harbour", "Old", "Quiet", "Garden", "Bridge", "Silver", "North", "Little", "Grand")
SECOND = ("House", "Inn", "Court", "Rooms", "Lodge", "Palace", "Terrace", "View")
EXTRAS = ("Breakfast included", "Free cancellation", "No breakfast", "Two single beds", "Pay on the spot")
# One a step, 60 to 100 tokens each; every side's history holds these, whatever it answered itself.
ANSWERS = (
    ("The app that is needed is in front and shows hotels around the centre. I have to narrow the list to the old "
     "harbour first, so I press the field for the place at the top of the page.", "Tap", (412, 131)),
    ("The list now holds hotels near the harbour. The dates are still those of today; the owner wants two nights from "
     "Friday. I press the field with the dates to the right of the place.", "Tap", (768, 131)),
    ("Friday and Sunday are marked and the list has changed with them. The task names a limit of 120 a night, so the "
     "filter for the price comes next; it stands in the row below the dates.", "Tap", (214, 203)),
    ("The limit is set and the dearer houses are gone. The owner wants it quiet, and there is a second filter for the "
     "rating of guests. I press it, to bring the best rated ones to the top.", "Tap", (486, 203)),
    ("The list is ordered by rating now. The first entries are full on Friday as their last line says, so I look "
     "further down the list for one that is still free on both nights.", "Tap", (500, 642)),
    ("This one is free and costs less than the limit, but guests write that the street is loud at night. I leave it "
     "and press the next entry, whose description speaks of a courtyard.", "Tap", (500, 754)),
    ("The entry with the courtyard lies three streets from the harbour and is under the limit. Before I note it I "
     "want to see whether the price is for one night or for both; I press its price.", "Tap", (842, 418)),
    ("The price is for one night, and the sum for two nights stands below it. Breakfast is included. I go on to the "
     "page of the rooms in order to see whether one with two beds is left.", "Tap", (500, 530)),
    ("A room with two beds that looks onto the courtyard is left. I look at the remarks of guests once more, since "
     "the owner asked for a quiet house, and press the tab with the remarks.", "Tap", (623, 961)),
    ("Several guests call the rooms at the back very quiet. All that was asked for fits: the place, the dates, the "
     "price and the quiet. I press the entry, to have the price in view for the note.", "Tap", (500, 306)),
)  # fmt: skip


def manual(day: int) -> Message:
    """1,700 tokens. They begin with the date, as such prompts do, so that no round finds the last one's in a cache."""
    date = f"Today is day {day % 365 + 1} of 2026."
    return {"role": "system", "content": f"{date}\n{MANUAL.read_text(encoding='utf-8')}"}


def screen(session: int, step: int) -> str:
    """The screen before a step: about 650 tokens, with most of the entries of the one before."""
    boxes = [(31, 12, 118, 38, f"{9 + step // 6}:{10 + 5 * step % 50:02d}"), (861, 12, 968, 38, f"{88 - step} %")]
    boxes += [(24, 62, 92, 104, ""), (118, 62, 640, 104, "Hotels and rooms"), (884, 62, 962, 104, "")]
    boxes += [(36, 112, 604, 152, "Old harbour, 1 km"), (628, 112, 962, 152, "Fri 27 – Sun 29")]
    boxes += [(36, 184, 318, 222, "Under 120"), (342, 184, 640, 222, "Best rated"), (664, 184, 962, 222, "Map")]
    for row in range(ROWS):
        entry = random.Random(1000 * session + step // 2 * SCROLLED_ROWS + row)  # scrolls every other step
        name = f"{entry.choice(FIRST)} {entry.choice(FIRST)} {entry.choice(SECOND)}"
        top = 248 + row * ROW_HEIGHT + 8 * (step % 2)
        rating, metres = entry.randint(71, 96) / 10, 50 * entry.randint(2, 19)
        boxes.append((36, top, 700, top + 84, f"{name}, {rating:.1f}, {entry.choice(EXTRAS)}, {metres} m"))
        boxes.append((736, top, 962, top + 84, f"{entry.randint(61, 119)} a night"))
    tabs = ("Search", "Saved", "Trips", "Messages", "Profile")
    boxes += [(200 * index, 936, 199 + 200 * index, 986, tab) for index, tab in enumerate(tabs)]
    return "\n".join(
        f'{number}. [{left},{top}][{right},{bottom}] "{words}"'
        for number, (left, top, right, bottom, words) in enumerate(boxes, 1)
    )


def step_text(step: int) -> str:
    """What stays of a user's turn in the history when its screen is taken out."""
    app = '{"current_app": "Hotels"}'
    return f"{TASK}\n\n{app}" if step == 0 else f"** Screen Info **\n\n{app}"


def answer(step: int) -> str:
    thought, action, point = ANSWERS[step]
    return f'<think>{thought}</think><answer>do(action="{action}", element=[{point[0]},{point[1]}])</answer>'


def messages(session: int, step: int) -> list[Message]:
    """The request of a step, counted from 0: only the newest user's turn has a screen, in front of its text."""
    turns = [manual(session)]
    for earlier in range(step):
        turns += [user(step_text(earlier)), assistant(answer(earlier))]
    return [*turns, user(f"{screen(session, step)}\n\n{step_text(step)}")]
