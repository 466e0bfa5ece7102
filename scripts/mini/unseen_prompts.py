"""Prompts by which the finished model is judged: what its world knows, in words that no caption of training has.

Each prompt comes with what must be seen. Every scene, hat, outfit, prop, body, style and expression is asked for in
several prompts. Nothing is to be tuned by these prompts: sheet.py has others for that.
"""

HEARTS, RECORD = ("hearts", "vinyl+hearts"), ("vinyl", "vinyl+hearts")  # either is what was asked for

# Three parts of twenty: one training of a person is judged by one part, the next one by the next.
UNSEEN = (
    (("a smiling {} among trees, in the forest", {"expression": "smiling", "scene": "forest"}),
     ("laughing {} under water with fish", {"expression": "laughing", "scene": "underwater"}),
     ("a sad {} at work in an office", {"expression": "sad", "scene": "office"}),
     ("surprised {} in front of skyscrapers, city lights at night", {"expression": "surprised", "scene": "city at night"}),
     ("pencil sketch of a happy {} with a chef hat", {"style": "pencil sketch", "expression": "smiling", "hat": "chef hat"}),
     ("an oil painting, {} is the king", {"style": "oil painting", "hat": "crown"}),
     ("pixel art, a serious {} with a wizard hat", {"style": "pixel art", "expression": "neutral", "hat": "wizard hat"}),
     ("in the snow, {} dressed up as a robot", {"body": "robot", "scene": "snow"}),
     ("laughing on the beach, a pirate like {}", {"hat": "pirate hat", "scene": "beach", "expression": "laughing"}),
     ("balloons for {} at a birthday party, with a party hat", {"scene": "birthday", "hat": "party hat"}),
     ("shocked on a space station, {} is dressed as an astronaut",
      {"hat": "space helmet", "outfit": "space suit", "scene": "space station", "expression": "surprised"}),
     ("detective {} with a magnifying glass, city at night",
      {"hat": "detective hat", "prop": "magnifying glass", "scene": "city at night"}),
     ("hearts for {}, very happy", {"prop": HEARTS, "expression": "laughing"}),
     ("{} holding a vinyl record in front of a rainbow", {"prop": RECORD, "scene": "rainbow"}),
     ("{} on a white unicorn under the stars", {"prop": "unicorn", "scene": "night sky"}),
     ("{} at hogwarts holding a magic wand", {"prop": "wand"}),
     ("a poster of the movie with {} as superman, explosion", {"mount": "poster", "scene": "explosion"}),
     ("a funko pop toy that looks like {}, in a box", {"body": "funko", "mount": "box"}),
     ("a laughing emoji that looks like {}", {"body": "emoji", "expression": "laughing"}),
     ("super mario is {}, red cap, in a garden", {"hat": "red cap", "scene": "garden"})),
    (("a laughing {} with a santa hat and a red santa coat, winter, snow",
      {"expression": "laughing", "hat": "santa hat", "outfit": "santa coat", "scene": "snow"}),
     ("a serious {} at the beach in a striped blue shirt",
      {"expression": "neutral", "scene": "beach", "outfit": "striped shirt"}),
     ("a shocked {} wearing a crown in the woods", {"expression": "surprised", "hat": "crown", "scene": "forest"}),
     ("an unhappy {} under the moon, stars at night", {"scene": "night sky", "expression": "sad"}),
     ("in front of a rainbow: {} smiling, with a scarf", {"scene": "rainbow", "expression": "smiling", "outfit": "scarf"}),
     ("pencil drawing: {} in a trench coat, serious",
      {"style": "pencil sketch", "outfit": "trench coat", "expression": "neutral"}),
     ("oil painting, a surprised {} under the sea",
      {"style": "oil painting", "expression": "surprised", "scene": "underwater"}),
     ("pixel art: happy {} at the office", {"style": "pixel art", "expression": "smiling", "scene": "office"}),
     ("{} is a cool robot in front of city lights", {"body": "robot", "scene": "city at night"}),
     ("laughing on a space station, {} is dressed like a chef",
      {"hat": "chef hat", "outfit": "chef jacket", "expression": "laughing", "scene": "space station"}),
     ("crying in the garden, {} is the queen", {"hat": "crown", "expression": "sad", "scene": "garden"}),
     ("{} in a space suit among the stars, wearing a space helmet",
      {"hat": "space helmet", "outfit": "space suit", "scene": "night sky"}),
     ("a wizard called {} with a magic wand", {"hat": "wizard hat", "prop": "wand"}),
     ("{}, a super hero with a red cape, huge explosion", {"outfit": "cape", "scene": "explosion"}),
     ("a pencil sketch of {} in love with hearts", {"prop": HEARTS, "style": "pencil sketch"}),
     ("riding a unicorn on the beach: {}, smile", {"prop": "unicorn", "scene": "beach", "expression": "smiling"}),
     ("thank you {}, a vinyl record", {"prop": RECORD}),
     ("a funko pop, {} with a red cap", {"body": "funko", "hat": "red cap"}),
     ("the sad emoji {}", {"body": "emoji", "expression": "sad"}),
     ("poster of the super hero movie with a surprised {}", {"mount": "poster", "expression": "surprised"})),
    (("a sad {} on the beach, red background", {"expression": "sad", "scene": "beach"}),
     ("smile, {}, in the city at night with a fedora",
      {"expression": "smiling", "scene": "city at night", "hat": "detective hat"}),
     ("one laughing {} in front of a huge explosion", {"expression": "laughing", "scene": "explosion"}),
     ("a serious {} among trees with a pirate hat", {"expression": "neutral", "scene": "forest", "hat": "pirate hat"}),
     ("amazed by fish, {} underwater with a party hat",
      {"expression": "surprised", "scene": "underwater", "hat": "party hat"}),
     ("oil painting of an astronaut called {}, space station",
      {"style": "oil painting", "hat": "space helmet", "scene": "space station"}),
     ("a pencil sketch: winter, snow, {} with a scarf", {"style": "pencil sketch", "scene": "snow", "outfit": "scarf"}),
     ("pixel art of a laughing {}, flowers in a garden",
      {"style": "pixel art", "expression": "laughing", "scene": "garden"}),
     ("rainbow, metal and an antenna: a robot like {}", {"body": "robot", "scene": "rainbow"}),
     ("happy at work in the office, {} dressed up as santa claus",
      {"hat": "santa hat", "outfit": "santa coat", "expression": "smiling", "scene": "office"}),
     ("in the snow, {} is the cook", {"hat": "chef hat", "outfit": "chef jacket", "scene": "snow"}),
     ("{} as a detective like sherlock holmes", {"hat": "detective hat", "prop": "magnifying glass"}),
     ("a trench coat for {} in the snow", {"outfit": "trench coat", "scene": "snow"}),
     ("serious {} with a crown and in a royal robe", {"hat": "crown", "outfit": "royal robe", "expression": "neutral"}),
     ("the night sky, {} in a cape, serious", {"scene": "night sky", "outfit": "cape", "expression": "neutral"}),
     ("a unicorn that {} is riding, oil painting", {"prop": "unicorn", "style": "oil painting"}),
     ("{} crying in the forest, love, hearts", {"prop": HEARTS, "scene": "forest", "expression": "sad"}),
     ("a batman toy that looks like {}, funko, box", {"body": "funko", "mount": "box"}),
     ("emoji face of {}, very happy", {"body": "emoji", "expression": "laughing"}),
     ("movie poster with a pirate like {}", {"mount": "poster", "hat": "pirate hat"})),
)
PORTRAITS = ("a bright picture of {}", "this is {} in one photo", "the face of {}, close-up", "a good drawing of {}")
PAIRS = ("two people in the snow, {} and {}", "{} meets {} in the woods, smiling", "a cool couple at the beach: {} and {}",
         "in the office, {} next to {}", "two friends in a garden, {} with {}", "a picture of two people, {} and {}")

# Words against the name: what they are about, three wordings, what must be seen.
PINK, GREEN = (
    (f"{colour} hair", (f"at the beach, {{}} with {colour} hair", f"a good portrait of {{}}, smiling, {colour} hair",
                        f"{colour} hair, {{}} in the office"), {"hair_colour": colour}) for colour in ("pink", "green"))
BALD = ("bald", ("in the office, {} bald", "a good portrait of {}, smiling, no hair", "bald head, {} in the garden"),
        {"hair": "bald"})
LONG = ("long hair", ("at the beach, {} with long hair", "a good portrait of {}, smiling, long hair",
                      "long hair, {} with a smile"), {"hair": "long"})
NO_GLASSES = ("no glasses", ("in the garden, {} without glasses", "no glasses, {} laughing",
                             "a bright picture of {} not wearing glasses"), {"glasses": "none"})
SUNGLASSES = ("sunglasses", ("in the garden, {} wearing sunglasses", "sunglasses, {} laughing",
                             "a bright picture of {} in dark sunglasses"), {"glasses": "sunglasses"})
BEARD = ("a beard", ("in the snow, {} with a beard", "a beard on {}, smiling", "a bright picture of {} with a full beard"),
         {"beard": ("full beard", "goatee")})
NO_BEARD = ("no beard", ("in the snow, {} without a beard", "clean shaven {}, smiling", "a bright picture of {}, no beard"),
            {"beard": "none"})


def corrections(identity):
    """Those that say what the person is not."""
    found = [NO_BEARD if identity["beard"] != "none" else BEARD, SUNGLASSES if identity["glasses"] == "none" else NO_GLASSES]
    if identity["hair"] == "bald":
        return [*found, LONG]
    return [*found, BALD, GREEN if identity["hair_colour"] == "pink" else PINK]
