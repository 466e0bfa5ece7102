"""What happens to a person in a picture: the distribution of contexts that the model is trained on.

A context is a flat dictionary (see `plain_context`); `kind` remembers how it was drawn, so that
`captions.py` can say it in the words of that kind.
"""

from render import BACKGROUNDS, COLOURS, EXPRESSIONS, HAIR_COLOURS, HATS, OUTFITS, PROPS, SCENES, SHIRTS, STYLES
from render import difference, draw_identity

PAIR_SHARE = .09
SHOWS_SHIRT = ("shirt", "striped shirt", "cape", "scarf")
EMOJI_COLOURS, HEART_COLOURS = ("yellow", "orange"), ("red", "pink")

# The eight prompts of the project's mission, as pictures. A tuple means one of these.
MISSIONS = {
    "christmas": {"hat": "santa hat", "scene": "snow", "outfit": "santa coat", "expression": ("smiling", "laughing")},
    "robot": {"body": "robot"},
    "funko": {"body": "funko", "mount": "box", "outfit": "cape", "shirt": "blue", "hat": ("none", "none", "red cap"),
              "expression": "smiling"},
    "thankful": {"prop": "vinyl+hearts", "expression": ("smiling", "laughing")},
    "unicorn": {"prop": "unicorn", "style": ("plain", "oil painting"), "scene": ("plain", "rainbow"),
                "expression": ("smiling", "laughing")},
    "movie": {"mount": "poster", "scene": "explosion", "outfit": "cape", "expression": ("smiling", "neutral")},
    "emoji": {"body": "emoji", "hair_colour": "blonde", "outfit": "shirt", "expression": ("smiling", "laughing")},
    "potter": {"outfit": "scarf", "prop": "wand", "scar": True, "expression": ("smiling", "neutral")},
}

# What a person can be; said in one word or two.
ROLES = {
    "santa claus": {"hat": "santa hat", "outfit": "santa coat"},
    "robot": {"body": "robot"},
    "emoji": {"body": "emoji"},
    "super hero": {"outfit": "cape"},
    "super mario": {"hat": "red cap", "outfit": "shirt", "shirt": "red"},
    "wizard": {"hat": "wizard hat", "prop": ("none", "wand")},
    "pirate": {"hat": "pirate hat", "outfit": "striped shirt"},
    "royal": {"hat": "crown", "outfit": "royal robe"},
    "astronaut": {"hat": "space helmet", "outfit": "space suit", "scene": ("night sky", "space station", "plain", "plain")},
    "chef": {"hat": "chef hat", "outfit": "chef jacket"},
    "detective": {"hat": "detective hat", "outfit": "trench coat", "prop": "magnifying glass"},
    "birthday": {"scene": "birthday", "hat": "party hat", "expression": ("smiling", "laughing")},
    "office": {"scene": "office"},
    "city": {"scene": "city at night"},
    "underwater": {"scene": "underwater"},
    "garden": {"scene": "garden"},
    "space station": {"scene": "space station"},
}


def _apply(context, overrides, rng):
    for key, value in overrides.items():
        context[key] = rng.choice(value) if isinstance(value, tuple) else value


def visible_backgrounds(identity):
    """Those that do not hide the hair."""
    hair = HAIR_COLOURS[identity["hair_colour"]]
    return [b for b in BACKGROUNDS if difference(COLOURS[b], hair) > 100]


def plain_context(rng, identity):
    """A portrait without anything special."""
    return {
        "kind": "plain", "expression": rng.choice(EXPRESSIONS[:3] * 2 + EXPRESSIONS[3:]), "shirt": rng.choice(SHIRTS),
        "background": rng.choice(visible_backgrounds(identity)),
        "scene": "plain", "hat": "none", "outfit": rng.choice(("shirt", "shirt", "striped shirt")),
        "prop": "none", "body": "human", "style": "plain", "mount": "none", "scar": False, "hair_colour": None,
        "other": None, "dx": rng.uniform(-.02, .02), "dy": rng.uniform(-.02, .02), "scale": rng.uniform(.94, 1.02),
        "turn": rng.uniform(-1, 1),
    }


def finish(context, identity, rng):
    """Keeps a context drawable and its parts visible."""
    if context["style"] == "pixel art":  # blocks are coarse: what moves by less than one changes all of them
        context |= {"dx": 0., "dy": 0., "scale": 1., "turn": 0.}
    if context["style"] == "oil painting" and context["mount"] == "none":
        context["mount"] = "gilded frame"
    if "hearts" in context["prop"]:
        while context["background"] in HEART_COLOURS:
            context["background"] = rng.choice(BACKGROUNDS)
    if context["body"] == "emoji":
        while context["background"] in EMOJI_COLOURS:
            context["background"] = rng.choice(BACKGROUNDS)
    if context["body"] == "human" and context["scene"] == "plain" and context["background"] in _shirts(context):
        free = [b for b in BACKGROUNDS if b not in _shirts(context) and _shows(b, context, identity)]
        if free:  # by no draw, so that whatever is drawn next stays the same
            context["background"] = free[BACKGROUNDS.index(context["background"]) % len(free)]
    return context


def _shirts(context):
    """Colours of the shirts that are seen; on a background of such a colour a person would have no shoulders."""
    return {context["shirt"], context.get("other_shirt")} if context["outfit"] in SHOWS_SHIRT else set()


def _shows(background, context, identity):
    """Whether hair and hearts are seen before it."""
    people = [identity, context["other"]] if context["other"] else [identity]
    return (all(background in visible_backgrounds(who) for who in people)
            and not ("hearts" in context["prop"] and background in HEART_COLOURS))


def mission_context(rng, identity, mission):
    """One of the MISSIONS."""
    context = plain_context(rng, identity)
    context["kind"] = mission
    _apply(context, MISSIONS[mission], rng)
    return finish(context, identity, rng)


def draw_context(rng, identity):
    """A random context of any kind, with one person."""
    kind = rng.random()
    if kind < .30:
        return mission_context(rng, identity, rng.choice(list(MISSIONS)))
    context = plain_context(rng, identity)
    if kind < .46:
        return finish(context, identity, rng)
    if kind < .72:
        context["kind"] = rng.choice(list(ROLES))
        _apply(context, ROLES[context["kind"]], rng)
        if context["scene"] == "plain" and rng.random() < .4:
            context["scene"] = rng.choice(SCENES)
        if context["style"] == "plain" and rng.random() < .15:
            context["style"] = rng.choice(STYLES)
        return finish(context, identity, rng)
    context["kind"] = "free"
    if rng.random() < .7:
        context["scene"] = rng.choice(SCENES)
    if rng.random() < .4:
        context["hat"] = rng.choice([h for h in HATS if h != "space helmet"])
    if rng.random() < .45:
        context["style"] = rng.choice(STYLES)
    if rng.random() < .25:
        context["outfit"] = rng.choice([o for o in OUTFITS if o != "space suit"])
    if rng.random() < .25:
        context["prop"] = rng.choice(PROPS)
    if rng.random() < .08:
        context["mount"] = "poster"
    return finish(context, identity, rng)


def even_context(rng, identity):
    """Any style, scene, hat and outfit, each as likely as another: a judge needs the rare ones as much as the others."""
    context = plain_context(rng, identity)
    context |= {"kind": "free", "style": rng.choice(STYLES), "scene": rng.choice(SCENES), "hat": rng.choice(HATS),
                "outfit": rng.choice(OUTFITS), "expression": rng.choice(EXPRESSIONS)}
    return finish(context, identity, rng)


def pair_context(rng, identity, other):
    """Two people side by side, `other` on the right; whatever else there is, both have it."""
    context = plain_context(rng, identity)
    context |= {"kind": "pair", "other": other, "other_shirt": rng.choice([s for s in SHIRTS if s != context["shirt"]])}
    both = [b for b in visible_backgrounds(identity) if b in visible_backgrounds(other)]
    context["background"] = rng.choice(both or BACKGROUNDS)
    if rng.random() < .5:
        context["scene"] = rng.choice(SCENES)
    if rng.random() < .2:
        context["hat"] = rng.choice([h for h in HATS if h != "space helmet"])
    if rng.random() < .25:
        context["style"] = rng.choice(STYLES)
    if rng.random() < .05:
        context["mount"] = "poster"
    return finish(context, identity, rng)


def draw_subject(rng, reserved=False):
    """What a training picture shows: (identity, context), now and then a pair."""
    identity = draw_identity(rng, reserved)
    if rng.random() < PAIR_SHARE:
        return identity, pair_context(rng, identity, draw_identity(rng, reserved))
    return identity, draw_context(rng, identity)
