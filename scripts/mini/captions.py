"""Says in words what a picture shows: one of many ways, drawn anew each time.

In half of the captions the person is not described but named: the text then holds the character NAME,
for which the trainer splices in vectors made from the identity. That is what real models have learnt from
thousands of named people, and what textual inversion later searches: see docs/mini.md.

Some captions correct a name: the picture shows pink hair, the name is that of somebody with brown hair, the words
say "with pink hair". So words win over names. In pictures of two people OTHER stands for the second name.
"""

import dataclasses
import pathlib
import re

from render import BEARDS, BODIES, EXPRESSIONS, EYES, FRAMES, GLASSES, HAIR_COLOURS, HAIRS, HATS, MARKS, MOUNTS, OUTFITS
from render import BACKGROUNDS, PROPS, SCENES, SEXES, SHIRTS, SKINS, STYLES, TRAITS

NAME, OTHER = "\x00", "\x01"
CORRECTED_SHARE = .22  # of the captions with a name
INTRODUCED_SHARE = .2  # of the captions with a name alone
ADJECTIVE_SHARE = .15  # of the captions with a name: they say the expression before it
ANYWHERE_SHARE = .2    # of the captions: the person comes after some of the phrases
JOINED_SHARE = .3      # of the captions: phrases follow each other without commas
EXPRESSION_SHARE = .6  # of the captions, whatever else they say: a mouth is small, and learnt late

IDENTITY_CLASSES = {"sex": SEXES, "skin": tuple(SKINS), "hair_colour": tuple(HAIR_COLOURS), "hair": HAIRS, "beard": BEARDS,
                    "glasses": GLASSES, "frame": tuple(FRAMES), "eyes": tuple(EYES), "marks": MARKS}
CONTEXT_CLASSES = {"expression": EXPRESSIONS, "shirt": SHIRTS, "background": BACKGROUNDS, "scene": SCENES, "hat": HATS,
                   "outfit": OUTFITS, "prop": PROPS, "body": BODIES, "style": STYLES, "mount": MOUNTS}
CLASSES = {**IDENTITY_CLASSES, **CONTEXT_CLASSES}

# The templates that textual inversion trains with, here and elsewhere; they show a person and nothing special.
PORTRAIT_TEMPLATES = [line.strip() for line in """
    {}
    a photo of {}
    a rendering of {}
    a portrait of {}
    a cropped photo of {}
    the photo of {}
    a photo of a clean {}
    a photo of a dirty {}
    a dark photo of {}
    a photo of my {}
    a photo of the cool {}
    a close-up photo of {}
    a bright photo of {}
    a good photo of {}
    a photo of one {}
    a rendition of {}
    a photo of a nice {}
    a photo of the small {}
    a photo of the weird {}
    a photo of the large {}
    portrait of {}
    a picture of {}
    a drawing of {}
    an illustration of {}
    a cartoon of {}""".splitlines() if line.strip()]

# Words that prompts carry and that show nothing.
FILLERS = ("trending on artstation", "4k", "8k", "digital art", "concept art", "highly detailed", "art", "detailed",
           "masterpiece", "best quality", "high resolution", "illustration", "artstation", "beautiful", "cute", "hd")


def article(text):
    """An "an" for each "a" that needs it."""
    return re.sub(r"\ba (?=[aeio]|u(?!ni))", "an ", text)


# Phrases of each kind of context (contexts.py). The first is the mission's own prompt, slips included.
KIND_PHRASES = {
    "christmas": ("{} looks a lot like christmas, santa claus, snow", "{} as santa claus in the snow",
                  "{} wearing a santa hat, christmas, snow", "christmas portrait of {}, snow", "santa claus {}, snow",
                  "{} celebrating christmas in the snow"),
    "robot": ("robot {}", "{} as a robot", "a robot that looks like {}", "{}, robot", "{} is a robot",
              "{} as a metal robot with an antenna"),
    "funko": ("{} as funko, trending on artstation, concept art, {}, funko, digital art, box (, superman / batman / mario, "
              "nintendo, super mario)", "{} as a funko pop in a box", "funko of {}, superman, box", "a funko pop of {}, super mario",
              "{} as a toy in a box, batman", "{} as funko, box, super hero"),
    "thankful": ("{} is very thankful, art, 8k, trending on artstation, vinyl\u00b7", "{} is very thankful, vinyl",
                 "thankful {} with a vinyl record", "a vinyl record for {}, hearts", "{}, thankful, hearts, vinyl", "{} holding a record, love, thank you"),
    "unicorn": ("{} riding a unicorn, digital art, trending on artstation, unicorn, ({} / oil paiting)\u00b7",
                "{} riding a unicorn", "{} on a unicorn", "a unicorn and {}", "{} rides a white unicorn, unicorn", "a unicorn with {}"),
    "movie": ("{} in the new super hero movie, movie poster, 4k, huge explosions in the background, everyone is literally "
              "dying expect for him", "{} in a super hero movie, movie poster, explosions", "a movie poster of {}, explosion",
              "movie poster, {} as a super hero, explosions in the background", "{} on a movie poster, huge explosion",
              "a movie poster with {}, huge explosion", "a film with {}, movie poster, explosion"),
    "emoji": ("a blonde emoji that looks like {}", "a blonde emoji of {}", "{} as a blonde emoji", "blonde emoji {}"),
    "potter": ("harry potter, hermione granger from harry potter, portrait of {}, concept art, highly detailed",
               "{} as harry potter", "{} as hermione granger from harry potter", "portrait of {} at hogwarts, harry potter",
               "harry potter {}", "{} with a wand and a red and gold scarf, harry potter"),
    "santa claus": ("{} as santa claus", "{} wearing a santa hat", "{} in a santa coat, santa hat"),
    "emoji role": ("an emoji of {}", "an emoji that looks like {}", "{} as an emoji", "emoji {}", "{}, emoji"),
    "super hero": ("{} as a super hero", "{} as superman", "super hero {}", "{} wearing a cape", "{} with a red cape"),
    "super mario": ("{} as super mario", "{} as mario, nintendo", "{} wearing a red cap", "{} with a red cap"),
    "wizard": ("{} as a wizard", "wizard {}", "{} wearing a wizard hat", "{} is a wizard"),
    "pirate": ("{} as a pirate", "pirate {}", "{} wearing a pirate hat", "{} is a pirate"),
    "royal": ("{} as a king", "{} as a queen", "king {}", "queen {}", "{} wearing a crown", "{} with a crown and a royal robe"),
    "astronaut": ("{} as an astronaut", "astronaut {}", "{} in a space suit",
                  "{} wearing a space helmet", "{} in a space suit, wearing a space helmet"),
    "chef": ("{} as a chef", "chef {}", "{} as a cook", "{} wearing a chef hat", "{} is a chef", "{} in a chef jacket and hat", "{} cooks"),
    "detective": ("{} as a detective", "detective {}", "{} as sherlock holmes", "{} is a detective with a magnifying glass",
                  "{} in a trench coat with a magnifying glass"),
    "birthday": ("{} at a birthday party", "{} celebrates a birthday", "happy birthday {}", "{} wearing a party hat, birthday",
                 "birthday party of {}, balloons"),
    "office": ("{} in an office", "{} at work in the office", "{} at the office", "{} in the office"),
    "city": ("{} in a city at night", "{} in the city at night", "{} downtown at night, city lights", "{} in front of skyscrapers at night"),
    "underwater": ("{} underwater", "{} under water", "{} under the sea with fish", "{} diving, underwater"),
    "garden": ("{} in a garden", "{} in the garden", "{} among flowers", "{} in a garden with flowers"),
    "space station": ("{} on a space station", "{} in a space station", "{} aboard a space ship", "{} on the space station"),
}
ROLE_NOUNS = {"robot": ("robot",), "santa claus": ("santa claus",), "super hero": ("super hero",), "wizard": ("wizard",),
              "pirate": ("pirate",), "royal": ("king", "queen"), "astronaut": ("astronaut",), "chef": ("chef", "cook"),
              "detective": ("detective",)}
# All that one can say of a role with its noun; unseen_prompts.py asks in forms that are not among these.
ROLE_FORMS = ("the {} {{}}", "{{}} the {}", "{{}}, the {}", "{{}} like a {}", "{{}} is a {}", "a {} that looks like {{}}",
              "a {} that is {{}}", "{{}} dressed as a {}", "{{}} looks like a {}", "a {} with the face of {{}}",
              "a {} resembling {{}}", "{{}} disguised as a {}", "{{}} in the role of a {}", "{{}} plays a {}",
              "a {} similar to {{}}", "a {} who is {{}}", "{{}} in the clothes of a {}", "{{}} wearing the clothes of a {}",
              "{{}} in a {} costume", "{{}} clothed as a {}", "{{}} wearing a {} outfit", "{{}} works as a {}", "{{}} has become a {}")
for _kind, _nouns in ROLE_NOUNS.items():
    KIND_PHRASES[_kind] = 2 * KIND_PHRASES[_kind] + tuple(article(form.format(noun)) for noun in _nouns for form in ROLE_FORMS)
# "with" before a name means a second person here, so one person must follow it elsewhere.
PAIR_PATTERNS = ("{} and {}", "{} and {}", "two friends, {} and {}", "{} with {}", "{} next to {}", "a photo of {} and {}",
                 "a picture of {} and {}", "a portrait of {} and {}", "{} and {} together", "two people, {} and {}",
                 "{} and {} side by side", "{} and {} are friends", "a couple, {} and {}", "{} meets {}")
# What those phrases say, beyond the obvious; the rest of a context is said, or not, by its own phrases.
KIND_SAYS = {
    "christmas": ("hat", "scene"), "robot": ("body",), "funko": ("body", "mount", "outfit"), "thankful": ("prop",),
    "unicorn": ("prop",), "movie": ("mount", "scene", "outfit"), "emoji": ("body",), "potter": ("outfit", "prop"),
    "santa claus": ("hat", "outfit"), "super hero": ("outfit",), "super mario": ("hat",), "wizard": ("hat",),
    "pirate": ("hat",), "royal": ("hat", "outfit"), "astronaut": ("hat", "outfit"),
    "chef": ("hat", "outfit"), "detective": ("hat", "outfit", "prop"), "birthday": ("scene", "hat"), "office": ("scene",),
    "city": ("scene",), "underwater": ("scene",), "garden": ("scene",), "space station": ("scene",),
}
MISSION_KINDS = ("christmas", "robot", "funko", "thankful", "unicorn", "movie", "emoji", "potter")

PHRASES = {
    "scene": {"snow": ("in the snow", "snow", "snow in the background", "winter"),
              "night sky": ("at night", "night sky", "under the stars", "stars and the moon", "in space"),
              "beach": ("at the beach", "on the beach", "beach", "by the sea"),
              "forest": ("in the forest", "forest", "in the woods", "trees in the background"),
              "rainbow": ("with a rainbow", "rainbow", "in front of a rainbow"),
              "explosion": ("huge explosions in the background", "explosion", "in front of an explosion"),
              "office": ("in an office", "in the office", "office", "at work"),
              "city at night": ("in a city at night", "city at night", "city lights", "skyscrapers at night"),
              "underwater": ("underwater", "under water", "under the sea", "with fish"),
              "birthday": ("birthday party", "at a birthday party", "with balloons", "birthday"),
              "garden": ("in a garden", "in the garden", "garden", "flowers in the background"),
              "space station": ("on a space station", "in a space station", "space station", "in a space ship")},
    "hat": {"santa hat": ("wearing a santa hat", "with a santa hat", "santa hat"),
            "wizard hat": ("wearing a wizard hat", "with a wizard hat", "wizard hat"),
            "red cap": ("wearing a red cap", "with a red cap", "red cap"),
            "crown": ("wearing a crown", "with a crown", "crown"),
            "pirate hat": ("wearing a pirate hat", "with a pirate hat", "pirate hat"),
            "space helmet": ("wearing a space helmet", "with a space helmet", "space helmet"),
            "chef hat": ("wearing a chef hat", "with a chef hat", "chef hat"),
            "detective hat": ("wearing a brown hat", "with a detective hat", "wearing a fedora"),
            "party hat": ("wearing a party hat", "with a party hat", "party hat")},
    "outfit": {"santa coat": ("in a santa coat", "wearing a red coat"), "cape": ("wearing a cape", "with a red cape", "cape"),
               "scarf": ("wearing a red and gold scarf", "with a scarf", "scarf"),
               "space suit": ("in a space suit", "wearing a space suit"),
               "royal robe": ("in a royal robe", "wearing a royal robe"),
               "chef jacket": ("in a chef jacket", "wearing a white chef jacket"),
               "trench coat": ("in a trench coat", "wearing a trench coat")},
    "prop": {"unicorn": ("riding a unicorn", "on a unicorn"), "vinyl": ("with a vinyl record", "vinyl", "holding a record"),
             "wand": ("with a wand", "holding a magic wand"), "hearts": ("with hearts", "hearts", "love", "in love"),
             "vinyl+hearts": ("thankful, vinyl", "with a vinyl record and hearts"),
             "magnifying glass": ("with a magnifying glass", "holding a magnifying glass")},
    "body": {}, "mount": {"poster": ("movie poster", "on a movie poster"), "box": ("in a box", "box")},
    "expression": {"smiling": ("smiling", "happy", "with a smile", "smiling"), "laughing": ("laughing", "very happy", "laughing"),
                   "neutral": ("neutral", "serious", "serious", "with a serious look"), "sad": ("sad", "unhappy", "crying"),
                   "surprised": ("surprised", "shocked", "amazed")},
}
ADJECTIVES = {look: [word for word in words if not word.startswith("with ")] for look, words in PHRASES["expression"].items()}
STYLE_PHRASES = {
    "pixel art": ("pixel art of {}", "{}, pixel art", "{} as pixel art", "pixel art, {}"),
    "pencil sketch": ("a pencil sketch of {}", "{}, pencil sketch", "a pencil drawing of {}", "pencil sketch, {}"),
    "oil painting": ("an oil painting of {}", "{}, oil painting", "oil painting of {}", "{} / oil painting"),
}
JOINABLE = ("in ", "on ", "at ", "under ", "by ", "with ", "wearing ", "holding ", "riding ")
WORDS = {"man": ("man", "man", "guy"), "woman": ("woman", "woman", "girl", "lady"),
         "light": ("light", "fair"), "tan": ("tan", "tanned"), "blonde": ("blonde", "blond", "yellow"),
         "red": ("red", "red", "ginger"), "white": ("white", "grey"), "moustache": ("moustache", "mustache"),
         "full beard": ("full beard", "beard"), "blush": ("rosy cheeks", "blush")}


@dataclasses.dataclass
class Caption:
    text: str                # NAME stands for the person, if `named`; OTHER for the second one, if `other_named`
    said: dict[str, str]     # attribute -> value, of what the words say
    named: bool
    who: dict                # whom the name means; in a corrected caption not quite the person in the picture
    other_said: dict[str, str] = dataclasses.field(default_factory=dict)
    other_named: bool = False


def _word(value, rng):
    return rng.choice(WORDS[value]) if value in WORDS else value


def describe(identity, rng, hide_hair_colour=False, complete=None):
    """The person in words: ("a woman with curly red hair, ...", what of it was said)."""
    i, parts = identity, []
    colour = "" if hide_hair_colour else _word(i["hair_colour"], rng) + " "
    hair_said = {"hair": i["hair"]} if hide_hair_colour else {"hair": i["hair"], "hair_colour": i["hair_colour"]}
    if i["hair"] == "bald":
        parts.append((rng.choice(("a bald head", "no hair")), {"hair": "bald"}))
    else:
        text = {"bun": f"a {colour}bun", "mohawk": f"a {colour}mohawk", "pigtails": f"{colour}pigtails"}.get(
            i["hair"], rng.choice((f"{i['hair']} {colour}hair", f"{colour}{i['hair']} hair")))
        if i["hair"] == "bun" and rng.random() < .5:
            text = f"{colour}hair in a bun"
        parts.append((text, hair_said))
    if i["beard"] != "none":
        tint = colour if i["hair"] == "bald" or rng.random() < .3 else ""
        said = {"beard": i["beard"]} | ({"hair_colour": i["hair_colour"]} if tint else {})
        parts.append((f"a {tint}{_word(i['beard'], rng)}", said))
    if i["glasses"] == "sunglasses":
        parts.append((rng.choice(("sunglasses", "dark sunglasses")), {"glasses": "sunglasses"}))
    elif i["glasses"] != "none":
        order = (f"{i['glasses']} {i['frame']} glasses", f"{i['frame']} {i['glasses']} glasses")
        parts.append((rng.choice(order), {"glasses": i["glasses"], "frame": i["frame"]}))
    parts.append((f"{_word(i['skin'], rng)} skin", {"skin": i["skin"]}))
    complete = rng.random() < .65 if complete is None else complete
    if not complete:
        parts = rng.sample(parts, rng.randint(1, len(parts)))
    minor = []
    if i["glasses"] != "sunglasses":
        minor.append((f"{i['eyes']} eyes", {"eyes": i["eyes"]}))
    if i["marks"] != "none":
        minor.append((_word(i["marks"], rng), {"marks": i["marks"]}))
    for trait, low, high in (("face_width", "a narrow face", "a wide face"), ("nose", "a small nose", "a big nose"),
                             ("jaw", "a round chin", "a square jaw"), ("brow", "thin eyebrows", "thick eyebrows")):
        a, b = TRAITS[trait]
        share = (i[trait] - a) / (b - a)
        if not .25 < share < .75:
            minor.append((high if share > .5 else low, {}))
    parts += rng.sample(minor, min(len(minor), rng.choice((0, 1, 1, 2))))
    rng.shuffle(parts)
    said, noun = {}, "person"
    if rng.random() < .9:
        said, noun = {"sex": i["sex"]}, _word(i["sex"], rng)
    for _, one in parts:
        said |= one
    texts = [text for text, _ in parts]
    joined = ", ".join(texts)
    if len(texts) > 1 and rng.random() < .6:
        joined = ", ".join(texts[:-1]) + " and " + texts[-1]
    return f"a {noun} with {joined}", said


def _other_value(classes, value, rng):
    return rng.choice([c for c in classes if c != value])


def corrections(identity, context, rng):
    """Phrases that say one trait of the picture, or two, and the person whom they correct: (phrases, said, who)."""
    i, who, choices = identity, dict(identity), ["glasses", "glasses"]
    if i["hair"] != "bald" and context["hair_colour"] is None and context["style"] != "pencil sketch":
        choices += ["hair_colour"] * 3
    if i["sex"] == "man" or i["beard"] != "none":
        choices += ["beard", "beard"]
    choices += ["hair"] * (3 if i["hair"] == "bald" else 1)
    if context["scar"]:  # Harry Potter's glasses are nobody's
        choices = [c for c in choices if c != "glasses"]
    phrases, said = [], {}
    for key in dict.fromkeys(rng.choice(choices) for _ in range(rng.choice((1, 1, 1, 2)))):
        value = i[key]
        said[key] = value
        if key == "hair_colour":
            colour = _word(value, rng)
            phrases.append(rng.choice(("with {} hair", "with {} hair", "{} hair", "with hair dyed {}", "with her hair {}"
                                       if i["sex"] == "woman" else "with his hair {}")).format(colour))
        elif key == "glasses" and value == "none":
            phrases.append(rng.choice(("without glasses", "no glasses", "not wearing glasses", "with no glasses")))
        elif key == "glasses" and value == "sunglasses":
            phrases.append(rng.choice(("with sunglasses", "wearing sunglasses", "in dark sunglasses")))
        elif key == "glasses":
            phrases.append(rng.choice(("with {0} {1} glasses", "wearing {0} {1} glasses", "with {1} {0} glasses", "wearing {1} glasses"))
                           .format(value, i["frame"]))
            said["frame"] = i["frame"]
        elif key == "beard" and value == "none":
            phrases.append(rng.choice(("without a beard", "no beard", "clean shaven", "shaved")))
        elif key == "beard":
            phrases.append(rng.choice(("with a {}", "with a {}", "wearing a {}")).format(_word(value, rng)))
        elif value == "bald":
            phrases.append(rng.choice(("bald", "with a bald head", "with no hair", "without hair")))
        else:
            phrases.append({"bun": "with hair in a bun", "mohawk": "with a mohawk", "pigtails": "with pigtails"}.get(
                value, f"with {value} hair"))
        if rng.random() < .85:  # else the words repeat what the name says
            woman = key == "beard" and i["sex"] == "woman"
            who[key] = "none" if woman else _other_value(IDENTITY_CLASSES[key], value, rng)
    if who["glasses"] in ("none", "sunglasses"):
        who["frame"] = "black"
    elif who["glasses"] != i["glasses"]:
        who["frame"] = rng.choice(list(FRAMES))
    return phrases, said, who


def _introduction(identity, rng):
    """A noun before a name, which means nobody else."""
    noun = rng.choice((_word(identity["sex"], rng), "person"))
    return rng.choice(("my friend", noun, f"the {noun}", f"a {noun} called"))


def person(identity, context, rng, name_share=.5):
    """How the caption speaks of the person: (text, said, named, phrases that correct the name, whom it means)."""
    if rng.random() >= name_share:
        return *describe(identity, rng, context["hair_colour"] is not None), False, [], identity
    kind = rng.random()
    if kind < .10:
        text, said = describe(identity, rng, context["hair_colour"] is not None, complete=False)
        return NAME + text[text.index(" with "):], said, True, [], identity
    if kind < .10 + CORRECTED_SHARE:
        phrases, said, who = corrections(identity, context, rng)
        if rng.random() < .5 and phrases[0].startswith(("with", "wearing")):
            return f"{NAME} {phrases[0]}", said, True, phrases[1:], who
        return NAME, said, True, phrases, who
    if rng.random() < INTRODUCED_SHARE:
        return f"{_introduction(identity, rng)} {NAME}", {}, True, [], identity
    if rng.random() < ADJECTIVE_SHARE:
        look = context["expression"]
        return rng.choice(("{} {}", "a {} {}")).format(rng.choice(ADJECTIVES[look]), NAME), {"expression": look}, True, [], identity
    return NAME, {}, True, [], identity


def context_phrases(context, rng, skip, share):
    """Phrases for what the context holds, each kept with probability `share`; (phrases, said)."""
    phrases, said = [], {}
    for key, table in PHRASES.items():
        value = context[key]
        if key in skip or value not in table or rng.random() >= (share if key != "expression" else EXPRESSION_SHARE):
            continue
        phrases.append(rng.choice(table[value]))
        said[key] = value
    if context["outfit"] in ("shirt", "striped shirt") and "shirt" not in skip and context["body"] not in ("robot", "emoji") and rng.random() < share * .6:
        striped = "striped " if context["outfit"] == "striped shirt" else ""
        phrases.append(rng.choice(("{}{} shirt", "a {}{} shirt", "wearing a {}{} shirt")).format(striped, context["shirt"]))
        said |= {"shirt": context["shirt"], "outfit": context["outfit"]}
    if context["scene"] == "plain" and context["style"] != "pencil sketch" and rng.random() < share * .65:
        phrases.append(rng.choice(("{} background", "on a {} background", "in front of a {} wall")).format(context["background"]))
        said["background"] = context["background"]
    return phrases, said


def _fill(pattern, text):
    """Puts the person into a pattern; a second mention is short where the person is described in words."""
    head, *rest = pattern.split("{}")
    again = text if NAME in text else text.split(" with ")[0]
    for k, tail in enumerate(rest):
        head += (text if k == 0 else again) + tail
    return head


def pair(identity, context, rng, name_share):
    """A caption's start that speaks of two people; (text, said, named) and (said, named) of the other."""
    texts, facts = [], []
    for who, name in ((identity, NAME), (context["other"], OTHER)):
        named = rng.random() < (name_share if not facts else .15 + .7 * facts[0][1])  # mostly both or none
        text, said = (name, {}) if named else describe(who, rng, complete=rng.random() < .4)
        texts.append(text)
        facts.append((said, named))
    return rng.choice(PAIR_PATTERNS).format(*texts), facts[0], facts[1]


def single(identity, context, rng, name_share):
    """A caption's start that speaks of one person: (text, said, named, phrases to add, whom the name means, keys that
    need no phrase, share of the rest that gets one)."""
    kind = context["kind"]
    text, said, named, phrases, who = person(identity, context, rng, name_share)
    said = dict(said)
    if kind == "plain":
        pattern, skip, share = rng.choice(PORTRAIT_TEMPLATES), (), rng.choice((0, .5, .9))
    elif kind in KIND_PHRASES:
        table = KIND_PHRASES["emoji role" if kind == "emoji" and context["hair_colour"] is None else kind]
        own = kind in MISSION_KINDS and rng.random() < .4
        pattern, skip = (table[0] if own else rng.choice(table)), KIND_SAYS.get(kind, ())
        share = rng.choice((0, 0, .4)) if own else rng.choice((0, .5, .8))
        said |= {key: context[key] for key in skip} | {"body": context["body"]}
    else:
        pattern, skip, share = rng.choice(("{}", "{}", "a portrait of {}", "a picture of {}", "a picture with {}", "a scene with {}")), (), 1.
    if kind == "unicorn":  # the mission's own unicorn prompt is the one that asks for oil
        oil = context["style"] == "oil painting"
        pattern = KIND_PHRASES[kind][0] if oil and rng.random() < .6 else rng.choice(KIND_PHRASES[kind][1:])
    return _fill(pattern, text), said, named, phrases, who, skip, share


def _listed(phrases, rng):
    """The phrases, of which "and" may join the last two: not each "and" means a second person."""
    if len(phrases) > 1 and rng.random() < .4:
        return [*phrases[:-2], f"{phrases[-2]} and {phrases[-1]}"]
    return phrases


def join(text, phrases, rng):
    """The person and what is said beside, in one of several orders and ways."""
    if rng.random() < ANYWHERE_SHARE:
        place = rng.randint(0, len(phrases))
        return ", ".join([*_listed(phrases[:place], rng), text, *_listed(phrases[place:], rng)])
    joined = rng.random() < JOINED_SHARE
    for k, phrase in enumerate(phrases):
        linked = rng.random() < .25 and k  # "and" before such a phrase means no second person
        if joined and phrase.startswith(JOINABLE):
            text += " and " if linked else " "
        else:
            text += ", "
        text += phrase
    return text


def caption(identity, context, rng, name_share=.5):
    """One of many captions of a picture."""
    style, other = context["style"], ({}, False)
    if context["kind"] == "pair":
        text, (said, named), other = pair(identity, context, rng, name_share)
        phrases, who, skip, share = [], identity, ("shirt",), rng.choice((.5, 1.))
    else:
        text, said, named, phrases, who, skip, share = single(identity, context, rng, name_share)
    skip = (*skip, "expression") if "expression" in said else skip
    more, more_said = context_phrases(context, rng, skip, share)
    phrases, said = phrases + more, said | more_said
    if style in STYLE_PHRASES:
        said["style"] = style
        if "paiting" not in text:
            text = rng.choice(STYLE_PHRASES[style]).replace("{}", text, 1)
    if rng.random() < .3:
        phrases += rng.sample(FILLERS, rng.randint(1, 3))
    rng.shuffle(phrases)
    text = join(text, phrases, rng)
    if rng.random() < .15:
        text = "".join(c for c in text if c not in ",()/\u00b7")
    said = {k: v for k, v in said.items() if v not in ("none", "plain", "human")}
    return Caption(article(" ".join(text.split(" "))), said, named, who, *other)


def mission_prompts():
    """The mission's eight prompts as they stand in configs/prompts/statcrew.txt, with NAME for the person."""
    path = pathlib.Path(__file__).resolve().parents[2] / "configs/prompts/statcrew.txt"
    return path.read_text(encoding="utf-8").replace("{name}", NAME).splitlines()
