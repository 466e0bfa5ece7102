"""The world of the built-in model: cartoon portraits, drawn as identity x context.

An identity says who it is (skin, hair, glasses, ...), a context says what is done with them
(hat, scene, style, ...). `render(identity, context)` draws the picture, 128 x 128 pixels.

Shapes are large, lines thick and backgrounds few, so that a network of a few million weights
learns them in an hour on two cores. Every trait of an identity survives every context: a robot
keeps its hair, its glasses and the colour of its face.
"""

import contextlib
import functools
import math
import random
import zlib

from PIL import Image, ImageChops, ImageDraw, ImageFilter

SIZE_PX = 128
SUPERSAMPLING = 4
BLOCK_PX = 4  # of pixel art
PAIR_ZOOM, PAIR_LIFT, PAIR_X = .76, .05, (.265, .735)  # of each of two people

# ---------------------------------------------------------------- what an identity consists of
SKINS = {"pale": (255, 226, 208), "light": (245, 200, 165), "tan": (214, 158, 112),
         "brown": (160, 104, 70), "dark": (112, 72, 54)}
HAIR_COLOURS = {"black": (38, 34, 44), "brown": (112, 66, 36), "blonde": (246, 206, 92),
                "red": (216, 78, 34), "white": (236, 238, 242), "blue": (58, 104, 220),
                "pink": (244, 112, 172), "green": (62, 168, 84)}
HAIRS = ("bald", "short", "spiky", "curly", "long", "bun", "mohawk", "pigtails")
BEARDS = ("none", "moustache", "goatee", "full beard")
GLASSES = ("none", "round", "square", "thick", "sunglasses")
FRAMES = {"black": (34, 32, 40), "red": (206, 44, 52), "green": (38, 150, 80), "blue": (44, 88, 200)}
EYES = {"blue": (60, 140, 220), "green": (56, 160, 84), "brown": (112, 62, 30), "black": (30, 28, 34)}
MARKS = ("none", "freckles", "blush")
SEXES = ("man", "woman")
# Continuous traits: range in fractions of the picture's width.
TRAITS = {"face_width": (.225, .285), "face_height": (.265, .315), "jaw": (2.0, 3.2),
          "eye_size": (.040, .054), "eye_gap": (.098, .128), "brow": (.020, .040), "nose": (.024, .046)}

# ---------------------------------------------------------------- what a context consists of
COLOURS = {"red": (222, 76, 70), "orange": (244, 150, 66), "yellow": (250, 214, 96), "green": (112, 184, 110),
           "teal": (64, 164, 164), "blue": (92, 148, 224), "purple": (148, 112, 200), "pink": (246, 168, 192),
           "grey": (188, 194, 204), "white": (244, 244, 240), "black": (52, 50, 60)}
BACKGROUNDS = ("red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "grey")
SHIRTS = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")
EXPRESSIONS = ("smiling", "laughing", "neutral", "sad", "surprised")
SCENES = ("plain", "snow", "night sky", "beach", "forest", "rainbow", "explosion", "office", "city at night", "underwater",
          "birthday", "garden", "space station")
HATS = ("none", "santa hat", "wizard hat", "red cap", "crown", "pirate hat", "space helmet", "chef hat", "detective hat",
        "party hat")
OUTFITS = ("shirt", "striped shirt", "santa coat", "cape", "scarf", "space suit", "royal robe", "chef jacket",
           "trench coat")
PROPS = ("none", "unicorn", "vinyl", "wand", "hearts", "vinyl+hearts", "magnifying glass")
BODIES = ("human", "robot", "emoji", "funko")
STYLES = ("plain", "pixel art", "pencil sketch", "oil painting")
MOUNTS = ("none", "poster", "box", "gilded frame")

PAPER = (214, 214, 214)  # of sketches: dark enough that white hair and snow have an outline
METAL, METAL_DARK = (172, 182, 196), (112, 122, 140)
GOLD, RED, WHITE, INK = (250, 200, 60), (208, 44, 48), (250, 250, 248), (34, 32, 40)
RAINBOW = ((232, 72, 72), (246, 152, 60), (250, 216, 84), (92, 184, 96), (76, 130, 224), (146, 96, 200))


def is_reserved(identity):
    """True for one combination of the main traits in ten: those people are never trained on."""
    key = "/".join(identity[k] for k in ("sex", "skin", "hair_colour", "hair", "beard", "glasses", "frame"))
    return zlib.crc32(key.encode()) % 10 == 0


def draw_identity(rng, reserved=False):
    """A random person, outside the training set if `reserved`, else inside."""
    while True:
        sex = rng.choice(SEXES)
        identity = {
            "sex": sex,
            "skin": rng.choice(list(SKINS)),
            "hair_colour": rng.choice(list(HAIR_COLOURS)),
            "hair": rng.choice(HAIRS if sex == "man" else HAIRS[:1] + 2 * HAIRS[1:]),
            "beard": rng.choice(("none",) * (2 if sex == "man" else 60) + BEARDS[1:]),  # a few women, for "with a beard"
            "glasses": rng.choice(("none",) * 3 + GLASSES[1:]),
            "frame": rng.choice(list(FRAMES)),
            "eyes": rng.choice(list(EYES)),
            "marks": rng.choice(MARKS),
        }
        if identity["glasses"] in ("none", "sunglasses"):
            identity["frame"] = "black"
        identity.update((name, rng.uniform(*span)) for name, span in TRAITS.items())
        if is_reserved(identity) == reserved:
            return identity


def mix(a, b, share):
    """Colour `a` with `share` of colour `b`."""
    return tuple(round(x + (y - x) * share) for x, y in zip(a, b))


class Canvas:
    """PIL drawing in units of the picture's width, supersampled."""

    def __init__(self, size_px, colour):
        self.width = size_px * SUPERSAMPLING
        self.image = Image.new("RGB", (self.width, self.width), colour)
        self.draw = ImageDraw.Draw(self.image)
        self.x, self.zoom, self.lift = .5, 1., 0.

    @contextlib.contextmanager
    def zoomed(self, x, zoom, lift):
        """What is drawn within is smaller, its middle is at `x`, its lower edge `lift` above the picture's."""
        self.x, self.zoom, self.lift = x, zoom, lift
        yield
        self.x, self.zoom, self.lift = .5, 1., 0.

    def _at(self, x, y):
        return (self.x + (x - .5) * self.zoom) * self.width, (1 - self.lift + (y - 1) * self.zoom) * self.width

    def _box(self, cx, cy, rx, ry):
        return [*self._at(cx - rx, cy - ry), *self._at(cx + rx, cy + ry)]

    def _px(self, points):
        return [self._at(x, y) for x, y in points]

    def _width(self, line):
        return round(line * self.zoom * self.width)

    def ellipse(self, cx, cy, rx, ry, colour):
        self.draw.ellipse(self._box(cx, cy, rx, ry), fill=colour)

    def ring(self, cx, cy, rx, ry, colour, line):
        self.draw.ellipse(self._box(cx, cy, rx, ry), outline=colour, width=self._width(line))

    def rect(self, cx, cy, rx, ry, colour, radius=0.):
        self.draw.rounded_rectangle(self._box(cx, cy, rx, ry), radius * self.zoom * self.width, fill=colour)

    def frame(self, cx, cy, rx, ry, colour, line, radius=0.):
        self.draw.rounded_rectangle(self._box(cx, cy, rx, ry), radius * self.zoom * self.width, outline=colour,
                                    width=self._width(line))

    def slice(self, cx, cy, rx, ry, start, end, colour):
        self.draw.pieslice(self._box(cx, cy, rx, ry), start, end, fill=colour)

    def arc(self, cx, cy, rx, ry, start, end, colour, line):
        self.draw.arc(self._box(cx, cy, rx, ry), start, end, fill=colour, width=self._width(line))

    def polygon(self, points, colour):
        self.draw.polygon(self._px(points), fill=colour)

    def line(self, points, colour, line):
        self.draw.line(self._px(points), fill=colour, width=self._width(line), joint="curve")
        for x, y in points:
            self.ellipse(x, y, line / 2, line / 2, colour)

    def star(self, cx, cy, radius, colour, tips=4, inner=.38):
        self.polygon([(cx + r * math.sin(a), cy - r * math.cos(a)) for k in range(2 * tips)
                      for a, r in [(math.pi * k / tips, radius * (inner if k % 2 else 1))]], colour)

    def heart(self, cx, cy, r, colour):
        for side in (-1, 1):
            self.ellipse(cx + side * r * .5, cy - r * .3, r * .56, r * .56, colour)
        self.polygon([(cx - r * .99, cy - r * .05), (cx, cy + r), (cx + r * .99, cy - r * .05), (cx, cy - r * .4)], colour)


# ---------------------------------------------------------------- behind the person
def draw_scene(c, scene):
    if scene == "snow":
        c.rect(.5, .5, .5, .5, (150, 186, 226))
        c.ellipse(.5, 1.02, .85, .30, WHITE)
        for x, y in ((.10, .12), (.36, .07), (.64, .08), (.90, .14), (.06, .42), (.94, .46), (.16, .66), (.86, .70)):
            c.ellipse(x, y, .030, .030, WHITE)
    elif scene == "night sky":
        c.rect(.5, .5, .5, .5, (36, 38, 92))
        c.ellipse(.85, .15, .10, .10, (252, 240, 186))
        for x, y in ((.12, .12), (.34, .06), (.62, .10), (.07, .44), (.93, .48), (.14, .74), (.88, .78)):
            c.star(x, y, .045, (255, 240, 160))
    elif scene == "beach":
        c.rect(.5, .25, .5, .25, (146, 212, 246))
        c.rect(.5, .56, .5, .14, (48, 138, 206))
        c.rect(.5, .86, .5, .18, (246, 220, 156))
        c.ellipse(.14, .14, .10, .10, (255, 226, 90))
    elif scene == "forest":
        c.rect(.5, .5, .5, .5, (196, 228, 190))
        for x in (.10, .90, .50):
            for y, w in ((.10, .17), (.30, .23)):
                c.polygon([(x - w, y + .36), (x, y - .08), (x + w, y + .36)], (52, 132, 76))
            c.rect(x, .72, .035, .08, (120, 80, 50))
        c.rect(.5, .90, .5, .12, (116, 172, 92))
    elif scene == "rainbow":
        c.rect(.5, .5, .5, .5, (176, 220, 250))
        for k, colour in enumerate(RAINBOW):
            c.ellipse(.5, .72, .64 - .055 * k, .64 - .055 * k, colour)
        c.ellipse(.5, .72, .31, .31, (176, 220, 250))
        for x in (.06, .94):
            c.ellipse(x, .80, .14, .09, WHITE)
    elif scene == "explosion":
        c.rect(.5, .5, .5, .5, (196, 48, 34))
        c.star(.5, .5, .86, (246, 130, 40), 10, .62)
        c.star(.5, .5, .58, (255, 212, 74), 10, .66)
    elif scene == "office":
        c.rect(.5, .5, .5, .5, (196, 206, 216))
        c.rect(.17, .30, .14, .20, WHITE)
        for y in (.20, .40):
            c.rect(.17, y, .115, .085, (150, 206, 240))
        for k, y in enumerate((.16, .40, .64)):
            c.rect(.86, y + .095, .13, .016, (140, 96, 60))
            for n, colour in enumerate((RED, COLOURS["blue"], COLOURS["yellow"], COLOURS["green"])):
                c.rect(.775 + .055 * n, y + .005 * ((n + k) % 3), .022, .080, colour)
        c.rect(.10, .86, .06, .08, (196, 104, 66))
        for dx in (-.05, 0, .05):
            c.ellipse(.10 + dx, .70 + abs(dx), .032, .10, (66, 146, 82))
    elif scene == "city at night":
        c.rect(.5, .5, .5, .5, (40, 30, 74))
        for x, top, w in ((.09, .26, .10), (.28, .50, .08), (.91, .16, .10), (.72, .44, .08)):
            c.rect(x, (top + 1) / 2, w, (1 - top) / 2, (86, 92, 140))
            for y in range(5):
                for dx in (-.4, .4):
                    c.rect(x + dx * w, top + .08 + .13 * y, .024, .032, (255, 220, 110) if (y + (dx > 0)) % 3 else (56, 58, 100))
    elif scene == "underwater":
        c.rect(.5, .5, .5, .5, (24, 118, 178))
        c.rect(.5, .12, .5, .14, (60, 164, 212))
        c.ellipse(.5, 1.04, .80, .16, (226, 204, 150))
        for x, y, r in ((.12, .14, .045), (.22, .30, .030), (.88, .12, .035), (.78, .28, .025), (.93, .62, .035)):
            c.ring(x, y, r, r, (206, 238, 252), .015)
        for x, top in ((.05, .62), (.15, .74), (.95, .74)):
            c.line([(x, 1.), (x + .025, (1 + top) / 2), (x - .01, top)], (44, 150, 92), .050)
        c.ellipse(.13, .46, .085, .055, (250, 146, 50))
        c.polygon([(.07, .46), (-.01, .40), (-.01, .52)], (250, 146, 50))
        c.ellipse(.17, .45, .014, .014, INK)
        c.ellipse(.88, .42, .070, .045, (250, 220, 80))
        c.polygon([(.93, .42), (1.0, .37), (1.0, .47)], (250, 220, 80))
    elif scene == "birthday":
        c.rect(.5, .5, .5, .5, (200, 232, 224))
        for k, colour in enumerate((RED, COLOURS["blue"], COLOURS["yellow"], COLOURS["green"], COLOURS["purple"]) * 2):
            c.polygon([(.1 * k, 0), (.1 * k + .1, 0), (.1 * k + .05, .11)], colour)
        for x, y, colour in ((.11, .34, COLOURS["blue"]), (.13, .64, COLOURS["pink"]), (.89, .30, RED), (.88, .62, COLOURS["green"])):
            c.line([(x, y + .08), (x + .02, y + .30)], METAL_DARK, .012)
            c.ellipse(x, y, .090, .110, colour)
            c.ellipse(x - .030, y - .040, .020, .028, mix(colour, WHITE, .6))
    elif scene == "garden":
        c.rect(.5, .5, .5, .5, (178, 224, 250))
        c.rect(.5, .74, .5, .30, (110, 182, 92))
        for k in range(7):
            c.ellipse(.02 + .16 * k, .44, .11, .11, (64, 142, 74))
        c.rect(.5, .52, .5, .09, (64, 142, 74))
        for x, y, colour in ((.08, .64, RED), (.22, .76, COLOURS["yellow"]), (.09, .88, COLOURS["pink"]), (.92, .64, COLOURS["purple"]),
                             (.78, .76, WHITE), (.91, .88, COLOURS["yellow"])):
            c.line([(x, y), (x, y + .13)], (40, 110, 56), .022)
            for a in range(5):
                c.ellipse(x + .042 * math.sin(1.2566 * a), y - .042 * math.cos(1.2566 * a), .034, .034, colour)
            c.ellipse(x, y, .028, .028, (250, 180, 50))
    elif scene == "space station":
        c.rect(.5, .5, .5, .5, (148, 158, 174))
        for y in (.24, .76):
            c.rect(.5, y, .5, .012, METAL_DARK)
        c.ellipse(.19, .28, .18, .18, (94, 104, 124))
        c.ellipse(.19, .28, .145, .145, (18, 20, 44))
        c.ellipse(.23, .32, .085, .085, (60, 140, 220))
        c.ellipse(.21, .30, .035, .030, (80, 180, 100))
        for x, y in ((.12, .22), (.20, .18), (.10, .33)):
            c.ellipse(x, y, .012, .012, WHITE)
        c.rect(.85, .36, .13, .22, (66, 74, 94), .02)
        c.rect(.85, .25, .10, .07, (70, 220, 190))
        for k, colour in enumerate((RED, GOLD, (90, 210, 110), (90, 160, 250), GOLD, RED)):
            c.ellipse(.78 + .07 * (k % 3), .42 + .09 * (k // 3), .024, .024, colour)


def draw_unicorn(c):
    """A unicorn in front of the person, who sits behind its neck; it looks to the right."""
    white, shade = (252, 250, 255), (214, 206, 232)
    c.ellipse(.42, .98, .44, .20, white)
    c.polygon([(.56, 1.0), (.62, .52), (.80, .44), (.92, 1.0)], white)
    c.ellipse(.74, .50, .12, .13, white)
    c.line([(.78, .52), (.89, .62)], white, .15)
    c.ellipse(.905, .635, .068, .062, shade)
    c.polygon([(.72, .39), (.88, .12), (.81, .41)], GOLD)
    c.polygon([(.64, .42), (.67, .29), (.73, .40)], white)
    c.ellipse(.79, .485, .024, .028, INK)
    for k, colour in enumerate((RAINBOW[0], RAINBOW[2], RAINBOW[4], RAINBOW[5])):
        c.ellipse(.655 - .028 * k, .45 + .105 * k, .072, .078, mix(colour, WHITE, .15))


# ---------------------------------------------------------------- the person
class Head:
    """Where the head is, and the person's colours in this context."""

    def __init__(self, identity, context):
        s = context["scale"]
        self.cx, self.cy, self.scale = .5 + context["dx"], .50 + context["dy"], s
        self.rx, self.ry = identity["face_width"] * s, identity["face_height"] * s
        self.jaw = identity["jaw"]
        self.hair_colour = HAIR_COLOURS[context["hair_colour"] or identity["hair_colour"]]
        self.skin = SKINS[identity["skin"]]
        body = context["body"]
        if body == "emoji":
            self.skin, self.rx, self.ry, self.jaw, self.cy = (255, 208, 56), .315 * s, .315 * s, 2.0, self.cy + .01
        elif body == "funko":
            self.rx, self.ry, self.jaw, self.cy = self.rx * 1.12, self.ry * .92, self.jaw + .6, self.cy - .090
        elif body == "robot":
            self.skin, self.ry = mix(self.skin, METAL, .30), self.ry * .96
        if context["prop"] == "unicorn":
            self.cx, self.cy, self.scale = self.cx - .14, self.cy - .10, s * .84
            self.rx, self.ry = self.rx * .84, self.ry * .84
        self.shade = mix(self.skin, (90, 30, 20), .24)
        self.top = self.cy - self.ry
        self.chin = self.cy + self.ry


def draw_hair_back(c, h, hair):
    if hair == "long":
        c.rect(h.cx, h.cy + .04, h.rx * 1.24, h.ry * 1.10, h.hair_colour, radius=.14)
    elif hair == "pigtails":
        for side in (-1, 1):
            c.ellipse(h.cx + side * h.rx * 1.34, h.cy + .05, .095 * h.scale, .165 * h.scale, h.hair_colour)
            c.ellipse(h.cx + side * h.rx * 1.14, h.cy - .08 * h.scale, .035, .035, RED)
    elif hair == "bun":
        c.ellipse(h.cx, h.top - .055 * h.scale, .115 * h.scale, .105 * h.scale, h.hair_colour)
    elif hair == "curly":
        for k in range(11):
            a = math.pi * (1 + 1.30 * (k / 10 - .5) + .5)
            c.ellipse(h.cx + h.rx * 1.02 * math.cos(a), h.cy - h.ry * .10 + h.ry * .92 * math.sin(a),
                      .105 * h.scale, .105 * h.scale, h.hair_colour)
    elif hair == "spiky":
        for k in range(7):
            a = math.pi * (1.08 + .84 * k / 6)
            tip, base = (1.36, 1.50), .26
            c.polygon([(h.cx + h.rx * 1.04 * math.cos(a - base), h.cy + h.ry * math.sin(a - base)),
                       (h.cx + h.rx * tip[0] * math.cos(a), h.cy + h.ry * tip[1] * math.sin(a)),
                       (h.cx + h.rx * 1.04 * math.cos(a + base), h.cy + h.ry * math.sin(a + base))], h.hair_colour)
    elif hair == "mohawk":
        c.rect(h.cx, h.top + .01, .085 * h.scale, .125 * h.scale, h.hair_colour, radius=.06)


def draw_hair_front(c, h, hair):
    """The hair that frames the face; its sides stay visible below any hat."""
    if hair == "bald":
        return
    if hair == "mohawk":
        c.polygon([(h.cx - .085 * h.scale, h.top + .02), (h.cx + .085 * h.scale, h.top + .02),
                   (h.cx, h.cy - h.ry * .42)], h.hair_colour)
        for side in (-1, 1):
            c.rect(h.cx + side * h.rx * .95, h.cy - h.ry * .06, .028, h.ry * .20, h.hair_colour, radius=.02)
        return
    c.slice(h.cx, h.cy - h.ry * .04, h.rx * 1.10, h.ry * 1.06, 172, 368, h.hair_colour)
    shift = .10 if hair == "short" else 0
    c.ellipse(h.cx + h.rx * shift, h.cy + h.ry * .20, h.rx * (.90 - shift), h.ry * .72, h.skin)
    if hair in ("long", "pigtails"):  # a parting: the hairline meets in the middle
        c.polygon([(h.cx - h.rx * .34, h.cy - h.ry * .40), (h.cx, h.cy - h.ry * .72), (h.cx + h.rx * .34, h.cy - h.ry * .40)],
                  h.skin)


def draw_face_shape(c, h, body):
    if body == "robot":
        c.line([(h.cx, h.top), (h.cx, h.top - .12)], METAL_DARK, .030)
        for side in (-1, 1):
            c.rect(h.cx + side * h.rx * 1.10, h.cy, .045, .070, METAL_DARK, radius=.02)
        c.rect(h.cx, h.cy, h.rx * 1.10, h.ry * 1.06, METAL, radius=.05)
        c.rect(h.cx, h.cy + h.ry * .10, h.rx * .92, h.ry * .80, h.skin, radius=.05)
        return
    if body != "emoji":
        for side in (-1, 1):
            c.ellipse(h.cx + side * h.rx, h.cy + .01, .040 * h.scale, .056 * h.scale, h.shade)
    points = []
    for k in range(72):
        a = 2 * math.pi * k / 72
        power = 2 / (h.jaw if math.sin(a) > 0 else 2.0)
        points.append((h.cx + h.rx * math.copysign(abs(math.cos(a)) ** power, math.cos(a)),
                       h.cy + h.ry * math.copysign(abs(math.sin(a)) ** power, math.sin(a))))
    c.polygon(points, h.skin)


def draw_beard(c, h, beard, mouth_y, x):
    s = h.scale
    if beard == "full beard":
        c.slice(h.cx, h.cy + h.ry * .06, h.rx * 1.05, h.ry * 1.06, 2, 178, h.hair_colour)
        c.ellipse(h.cx, h.cy + h.ry * .10, h.rx * .82, h.ry * .28, h.skin)
    elif beard == "goatee":
        c.ellipse(x, h.cy + h.ry * .90, .075 * s, .078 * s, h.hair_colour)
    if beard in ("moustache", "full beard"):
        for side in (-1, 1):
            c.ellipse(x + side * .055 * s, mouth_y - .042 * s, .070 * s, .030 * s, h.hair_colour)


def difference(a, b):
    """Of two colours, summed over the channels."""
    return sum(abs(x - y) for x, y in zip(a, b))


def lip_colour(h, i):
    """One that is seen on the skin and, where there is a beard, on the beard."""
    woman, light = i["sex"] == "woman", sum(h.skin)
    if light < 300:
        lips = (232, 92, 122) if woman else (214, 128, 112)
    elif light < 380:  # as bright as common lips, with which a line looks like an arc of the same grey
        lips = (255, 138, 160) if woman else (240, 164, 144)
    else:
        lips = (206, 48, 84) if woman else (158, 66, 56)
    if i["beard"] == "full beard" and difference(lips, h.hair_colour) < 150:
        lips = max(((240, 160, 148), (96, 24, 30)), key=lambda one: difference(one, h.hair_colour))
    return lips


def draw_mouth(c, h, i, expression, x, y, body):
    """A mouth that is seen on any skin and beard."""
    s, lips, inside = h.scale, lip_colour(h, i), (84, 14, 30)
    if body == "robot":
        c.rect(x, y + .012, .095 * s, .036 * s, INK, radius=.012)
        for k in (-1, 0, 1):
            c.rect(x + k * .055 * s, y + .012, .017 * s, .022 * s, (150, 236, 240))
        return
    if expression == "smiling":
        c.arc(x, y - .036 * s, .100 * s, .072 * s, 10, 170, lips, .032)
    elif expression == "laughing":
        c.slice(x, y - .030 * s, .116 * s, .110 * s, 0, 180, lips)
        c.slice(x, y - .022 * s, .096 * s, .086 * s, 0, 180, inside)
        c.rect(x, y - .008 * s, .080 * s, .015 * s, WHITE)
        c.ellipse(x, y + .046 * s, .042 * s, .018 * s, (232, 100, 110))
    elif expression == "neutral":
        c.line([(x - .068 * s, y), (x + .068 * s, y)], lips, .032)
    elif expression == "sad":
        c.arc(x, y + .048 * s, .082 * s, .064 * s, 195, 345, lips, .032)
    else:
        c.ellipse(x, y + .012 * s, .054 * s, .064 * s, lips)
        c.ellipse(x, y + .012 * s, .036 * s, .044 * s, inside)


def draw_eye(c, h, i, ctx, side, x, y):
    """The eye at (x, y), with its lashes and brow."""
    s, size = h.scale, i["eye_size"] * h.scale
    if ctx["body"] == "funko":
        c.ellipse(x, y, size * 1.40, size * 1.40, INK)
        c.ellipse(x - .018, y - .022, .018, .018, WHITE)
    else:
        if i["sex"] == "woman":
            c.line([(x, y - size * .9), (x + side * size * 1.45, y - size * .85)], INK, .024)
        if difference(h.skin, WHITE) < 90:  # else one does not see where the white of the eye ends
            c.ellipse(x, y, size * 1.16 + .013 * s, size * 1.12 + .013 * s, h.shade)
        c.ellipse(x, y, size * 1.16, size * 1.12, WHITE)
        c.ellipse(x, y, size * .76, size * .80, EYES[i["eyes"]])
        c.ellipse(x, y, size * .40, size * .42, INK)
        c.ellipse(x - size * .28, y - size * .32, .013, .013, WHITE)
    tilt = {"sad": .022, "smiling": .010, "laughing": .010}.get(ctx["expression"], 0) * side
    lift = .022 if ctx["expression"] == "surprised" else 0
    brow_y = y - size - (.036 + lift) * s
    brow = h.hair_colour if i["hair"] != "bald" or i["beard"] != "none" else mix(h.shade, INK, .5)
    if difference(brow, h.skin) < 90:
        brow = mix(brow, (90, 50, 10), .35)
    c.line([(x - .048 * s, brow_y - tilt), (x + .048 * s, brow_y + tilt)], brow, i["brow"] * s)


def places(h, i, ctx):
    """Where features are: (x of the middle, y of the eyes, distance of an eye from the middle, y of the mouth)."""
    gap, mouth = i["eye_gap"] * h.scale, .60
    if ctx["body"] in ("emoji", "funko"):
        gap, mouth = gap * 1.12, .56
    x, eye_y, mouth_y = h.cx + .024 * ctx["turn"] * h.scale, h.cy + h.ry * .08, h.cy + h.ry * mouth
    if ctx["style"] == "pixel art":  # on its grid: else each face would have blocks of its own for the same eyes
        return x, _nearest(eye_y), _nearest(gap), _nearest(mouth_y, BLOCK_PX / 2)
    return x, eye_y, gap, mouth_y


def _nearest(value, offset_px=0):
    """The nearest place on the latents' grid of 8 pixels, or `offset_px` after it."""
    step, offset = 2 * BLOCK_PX / SIZE_PX, offset_px / SIZE_PX
    return step * round((value - offset) / step) + offset


def draw_features(c, h, i, ctx, eyes=(-1, 1), mouth=True, lenses=(-1, 1)):
    """Eyes (by their sides), nose, mouth, beard, glasses; without the defaults they are wrong, see train_faces.py."""
    s = h.scale
    x, eye_y, gap, mouth_y = places(h, i, ctx)
    draw_beard(c, h, i["beard"], mouth_y, x)
    for side in eyes:
        ex = x + side * gap
        if i["marks"] == "blush":
            c.ellipse(ex + side * .03 * s, eye_y + .105 * s, .050 * s, .034 * s, mix(h.skin, (244, 70, 96), .48))
        elif i["marks"] == "freckles":
            for dx, dy in ((-.034, .098), (.034, .094), (0, .132)):
                c.ellipse(ex + (side * .02 + dx) * s, eye_y + dy * s, .0145, .0145, mix(h.skin, (120, 40, 10), .48))
        draw_eye(c, h, i, ctx, side, ex, eye_y)
    if ctx["body"] != "robot":
        c.ellipse(x, eye_y + .085 * s, i["nose"] * s, i["nose"] * .82 * s, h.shade)
    if mouth:
        draw_mouth(c, h, i, ctx["expression"], x, mouth_y, ctx["body"])
    draw_glasses(c, i["glasses"], FRAMES[i["frame"]], x, eye_y, gap, s, lenses)
    if ctx["scar"]:
        fx, fy = h.cx + .08 * s, h.cy - h.ry * .50
        c.line([(fx, fy - .045), (fx - .025, fy - .005), (fx + .020, fy + .005), (fx - .005, fy + .045)], (170, 40, 40), .022)


def draw_glasses(c, glasses, colour, x, y, gap, s, lenses=(-1, 1)):
    if glasses == "none":
        return
    for side in lenses:
        ex = x + side * gap * 1.04
        if glasses == "round":
            c.ring(ex, y, .088 * s, .088 * s, colour, .027)
        elif glasses == "square":
            c.frame(ex, y, .090 * s, .072 * s, colour, .027, .012)
        elif glasses == "thick":
            c.frame(ex, y, .098 * s, .084 * s, colour, .046, .050)
        else:
            c.rect(ex, y, .092 * s, .070 * s, INK, .045)
            c.line([(ex - .040 * s, y + .012), (ex - .010 * s, y - .024)], (96, 100, 120), .022)
    inner = gap * 1.04 - .080 * s
    if inner > -.01:
        c.line([(x - inner, y), (x + inner, y)], colour, .027)


def draw_body(c, h, i, ctx):
    outfit, s = ctx["outfit"], h.scale
    shirt = {"santa coat": RED, "space suit": (236, 240, 246), "royal robe": (150, 40, 120),
             "chef jacket": (246, 246, 248), "trench coat": (196, 164, 112)}.get(outfit, COLOURS[ctx["shirt"]])
    if ctx["body"] == "robot" and outfit in ("shirt", "striped shirt"):
        shirt = METAL
    y = h.chin - .025 * s
    if ctx["body"] == "funko":
        if outfit == "cape":
            c.polygon([(h.cx - .10, y), (h.cx + .10, y), (h.cx + .22, .90), (h.cx - .22, .90)], RED)
        c.rect(h.cx, y + .10, .105, .115, shirt, radius=.045)
        for side in (-1, 1):
            c.line([(h.cx + side * .105, y + .05), (h.cx + side * .145, y + .13)], shirt, .06)
            c.rect(h.cx + side * .055, y + .215, .045, .03, INK, radius=.015)
        if outfit == "scarf":
            draw_scarf(c, h.cx, y + .02, .12)
        return
    wide = .37 * s
    if outfit in ("cape", "royal robe"):
        c.polygon([(h.cx - wide * .55, y + .02), (h.cx + wide * .55, y + .02), (h.cx + wide * 1.45, 1.05),
                   (h.cx - wide * 1.45, 1.05)], RED)
    c.rect(h.cx, y + .46, wide, .40, shirt, radius=.15)
    if outfit == "striped shirt":
        for k in (0, 1):
            c.rect(h.cx, y + .155 + .085 * k, wide - .012, .020, WHITE if ctx["shirt"] != "white" else COLOURS["blue"])
    c.rect(h.cx, y, .080 * s, .085, METAL_DARK if ctx["body"] == "robot" else h.shade, radius=.03)
    if outfit == "santa coat":
        c.rect(h.cx, y + .085, wide * .72, .040, WHITE, radius=.035)
    elif outfit == "royal robe":
        c.rect(h.cx, y + .085, wide * .80, .045, WHITE, radius=.04)
    elif outfit == "cape":
        c.polygon([(h.cx - wide * .6, y + .05), (h.cx, y + .14), (h.cx + wide * .6, y + .05), (h.cx, y + .06)], RED)
        c.star(h.cx, y + .19, .055, GOLD, 5)
    elif outfit == "scarf":
        draw_scarf(c, h.cx, y + .07, .22 * s)
    elif outfit == "chef jacket":
        c.polygon([(h.cx - wide * .42, y + .04), (h.cx, y + .13), (h.cx + wide * .42, y + .04), (h.cx, y + .07)], RED)
        for k in range(2):
            for side in (-1, 1):
                c.ellipse(h.cx + side * .07, y + .17 + .075 * k, .018, .018, METAL_DARK)
    elif outfit == "trench coat":
        for side in (-1, 1):
            c.polygon([(h.cx + side * wide * .50, y + .04), (h.cx + side * .02, y + .22), (h.cx + side * wide * .22, y + .05)],
                      (150, 118, 72))
        c.line([(h.cx, y + .20), (h.cx, 1.)], (150, 118, 72), .022)
    elif outfit == "space suit":
        c.rect(h.cx, y + .085, wide * .62, .035, METAL_DARK, radius=.03)
        c.rect(h.cx - .15, y + .19, .05, .03, RED)
        c.rect(h.cx + .15, y + .19, .05, .03, COLOURS["blue"])


def draw_scarf(c, x, y, wide):
    """Red and gold, five broad stripes."""
    for k in range(5):
        c.rect(x + (k - 2) * wide * .4, y, wide * .2, .048, (174, 30, 40) if k % 2 == 0 else GOLD)
    c.rect(x + wide * .60, y + .10, wide * .2, .08, (174, 30, 40))
    c.rect(x + wide * .60, y + .10, wide * .2, .022, GOLD)


# ---------------------------------------------------------------- on the head and in the hands
def draw_hat(c, h, hat):
    s, base = h.scale, h.cy - h.ry * .56
    wide = h.rx * 1.06
    if hat == "santa hat":
        c.polygon([(h.cx - wide * .98, base), (h.cx - wide * .45, base - .20 * s), (h.cx + wide * .80, base - .27 * s),
                   (h.cx + wide * .98, base)], RED)
        c.ellipse(h.cx + wide * .88, base - .25 * s, .062 * s, .062 * s, WHITE)
        c.rect(h.cx, base, wide * 1.06, .046 * s, WHITE, radius=.045)
    elif hat == "wizard hat":
        c.polygon([(h.cx - wide * .86, base), (h.cx + .03, base - .37 * s), (h.cx + wide * .86, base)], (94, 66, 176))
        c.star(h.cx + .01, base - .13 * s, .050, GOLD, 5)
        c.ellipse(h.cx, base, wide * 1.40, .050 * s, (70, 46, 140))
    elif hat == "red cap":
        c.slice(h.cx, base + .01, wide * 1.02, .235 * s, 180, 360, RED)
        c.ellipse(h.cx, base - .105 * s, .062 * s, .062 * s, WHITE)
        c.ellipse(h.cx, base - .105 * s, .030 * s, .036 * s, RED)
        c.ellipse(h.cx, base, wide * 1.02, .045 * s, (160, 26, 34))
    elif hat == "crown":
        y = base - .02
        c.polygon([(h.cx + wide * dx, y - dy * s) for dx, dy in
                   ((-.86, -.03), (-.94, .19), (-.46, .08), (0, .23), (.46, .08), (.94, .19), (.86, -.03))], GOLD)
        for dx, colour in ((-.5, RED), (0, COLOURS["blue"]), (.5, RED)):
            c.ellipse(h.cx + wide * dx, y + .002, .026, .026, colour)
    elif hat == "pirate hat":
        c.polygon([(h.cx - wide * 1.45, base - .03), (h.cx - wide * .62, base - .20 * s), (h.cx, base - .27 * s),
                   (h.cx + wide * .62, base - .20 * s), (h.cx + wide * 1.45, base - .03), (h.cx + wide * .7, base + .04 * s),
                   (h.cx - wide * .7, base + .04 * s)], INK)
        c.ellipse(h.cx, base - .115 * s, .064 * s, .058 * s, WHITE)
        c.rect(h.cx, base - .060 * s, .034 * s, .026 * s, WHITE)
        for side in (-1, 1):
            c.ellipse(h.cx + side * .026 * s, base - .115 * s, .017, .019, INK)
    elif hat == "chef hat":
        for dx, dy, r in ((-.62, .17, .115), (.62, .17, .115), (0, .22, .150)):
            c.ellipse(h.cx + wide * dx, base - dy * s, r * 1.1 * s, r * s, (214, 220, 230))
        for dx, dy, r in ((-.62, .17, .105), (.62, .17, .105), (0, .22, .140)):
            c.ellipse(h.cx + wide * dx, base - dy * s, r * 1.1 * s, r * s, WHITE)
        c.rect(h.cx, base - .05 * s, wide * .86, .080 * s, (214, 220, 230))
        c.rect(h.cx, base - .06 * s, wide * .83, .062 * s, WHITE)
    elif hat == "detective hat":
        c.polygon([(h.cx - wide * .84, base), (h.cx - wide * .70, base - .22 * s), (h.cx - wide * .30, base - .27 * s),
                   (h.cx, base - .23 * s), (h.cx + wide * .30, base - .27 * s), (h.cx + wide * .70, base - .22 * s),
                   (h.cx + wide * .84, base)], (136, 98, 62))
        c.rect(h.cx, base - .055 * s, wide * .83, .034 * s, (66, 44, 34))
        c.ellipse(h.cx, base, wide * 1.42, .048 * s, (112, 78, 48))
    elif hat == "party hat":
        tip, low = base - .36 * s, base - .06 * s
        c.polygon([(h.cx - wide * .60, low), (h.cx, tip), (h.cx + wide * .60, low)], COLOURS["purple"])
        for k, colour in ((.25, GOLD), (.62, (90, 220, 210))):
            y0, y1 = low + (tip - low) * (k - .09), low + (tip - low) * (k + .09)
            w0, w1 = wide * .60 * (1 - k + .09), wide * .60 * (1 - k - .09)
            c.polygon([(h.cx - w0, y0), (h.cx + w0, y0), (h.cx + w1, y1), (h.cx - w1, y1)], colour)
        c.ellipse(h.cx, tip + .01, .050 * s, .050 * s, (240, 62, 104))
    elif hat == "space helmet":
        c.ring(h.cx, h.cy, h.rx * 1.42, h.ry * 1.28, (226, 232, 242), .056)
        c.arc(h.cx, h.cy, h.rx * 1.22, h.ry * 1.10, 200, 245, WHITE, .026)


def draw_prop(c, h, prop):
    if "hearts" in prop:
        for x, y, r in ((.11, .16, .085), (.89, .16, .085), (.10, .60, .060)):
            c.heart(x, y, r, (240, 62, 104))
    if "vinyl" in prop:
        c.ellipse(.80, .80, .215, .215, (30, 28, 36))
        c.ring(.80, .80, .160, .160, (74, 72, 84), .024)
        c.ellipse(.80, .80, .085, .085, (240, 84, 74))
        c.ellipse(.80, .80, .026, .026, WHITE)
    if prop == "wand":
        c.line([(.84, .98), (.92, .66)], (104, 62, 34), .038)
        c.star(.925, .60, .085, (255, 236, 130), 5, .45)
        c.ellipse(.835, .94, .060, .055, h.skin)
    elif prop == "magnifying glass":
        c.line([(.80, .96), (.86, .84)], (120, 72, 40), .050)
        c.ellipse(.89, .70, .115, .115, (190, 226, 246))
        c.ring(.89, .70, .120, .120, METAL_DARK, .034)
        c.line([(.84, .70), (.88, .64)], WHITE, .020)
        c.ellipse(.80, .95, .060, .055, h.skin)


def draw_mount(c, mount):
    """What surrounds the picture: a toy's box, a poster's border and title, a painting's frame."""
    if mount == "box":
        for rect in ((.5, .035, .5, .035), (.5, .935, .5, .065), (.035, .5, .035, .5), (.965, .5, .035, .5)):
            c.rect(*rect, (240, 96, 58))
        c.rect(.5, .935, .26, .034, WHITE, radius=.03)
        c.ellipse(.90, .10, .065, .065, (255, 216, 76))
    elif mount == "gilded frame":
        c.frame(.5, .5, .5, .5, (196, 142, 44), .065)
        c.frame(.5, .5, .475, .475, (250, 208, 104), .022)
    elif mount == "poster":
        for rect in ((.5, .02, .5, .02), (.02, .5, .02, .5), (.98, .5, .02, .5), (.5, .92, .5, .08)):
            c.rect(*rect, (26, 24, 34))
        for x, w in ((.17, .060), (.32, .060), (.50, .090), (.68, .060), (.83, .060)):  # a title, from afar
            c.rect(x, .918, w, .032, (255, 214, 84))


# ---------------------------------------------------------------- styles
def _levels(function):
    return [max(0, min(255, round(function(v)))) for v in range(256)]


@functools.cache
def _strokes(size_px):
    """Slanting brush strokes as grey values around 128: the same in every picture, so that they are soon learnt."""
    strokes = Image.new("L", (2 * size_px, 2 * size_px), 128)
    draw, rng, unit = ImageDraw.Draw(strokes), random.Random(5), size_px / 64
    for _ in range(700):
        x, y, length = rng.uniform(0, 2 * size_px), rng.uniform(0, 2 * size_px), rng.uniform(5, 11) * unit
        draw.line([(x, y), (x + length, y - .6 * length)], fill=rng.choice((104, 118, 138, 152)), width=round(2.4 * unit))
    return strokes.filter(ImageFilter.GaussianBlur(.8 * unit)).resize((size_px, size_px), Image.LANCZOS)


def apply_style(image, style, size_px):
    """`image` is supersampled; the result has `size_px`. Lines and blocks of a larger picture are as much larger."""
    unit = max(1, size_px // SIZE_PX)
    if style == "pixel art":
        # Blocks lie on the latents' grid of 8 pixels, where each of them looks the same to the autoencoder. A block takes
        # the colour of its middle: a mean of all of it would wash out eyes and mouth.
        small = image.filter(ImageFilter.BoxBlur(3 * unit)).resize(2 * (size_px // (BLOCK_PX * unit),), Image.NEAREST)
        return small.resize((size_px, size_px), Image.NEAREST)
    if style == "pencil sketch":
        # Thin dark lines where brightness or colour changes, on a tone light enough that eyes and mouth stand out of any skin.
        large = image.resize((2 * size_px, 2 * size_px), Image.LANCZOS)
        edges = Image.new("L", large.size, 0)
        for band in large.split():
            bright = dark = band
            for _ in range(unit):
                bright, dark = bright.filter(ImageFilter.MaxFilter(3)), dark.filter(ImageFilter.MinFilter(3))
            change = ImageChops.subtract(bright, dark)
            edges = ImageChops.lighter(edges, change)
        edges = edges.point(_levels(lambda v: 2.6 * (v - 16))).filter(ImageFilter.GaussianBlur(.7 * unit))
        tone = large.convert("L").point(_levels(lambda v: 96 + 159 * (v / 255) ** .8))
        lines = edges.point(_levels(lambda v: min(v, 200)))
        return ImageChops.subtract(tone, lines).resize((size_px, size_px), Image.LANCZOS).convert("RGB")
    if style == "oil painting":
        image = image.resize((size_px, size_px), Image.LANCZOS).filter(ImageFilter.ModeFilter(2 * unit + 1))
        warm = ImageChops.multiply(image, Image.new("RGB", image.size, (255, 244, 222)))
        strokes = Image.merge("RGB", [_strokes(size_px)] * 3)
        return ImageChops.add(warm, strokes, 1, -128)
    return image.resize((size_px, size_px), Image.LANCZOS)


def draw_person(c, i, ctx, features=draw_features):
    """One person, from the hair at the back to the prop in front."""
    h = Head(i, ctx)
    if ctx["hat"] == "space helmet":
        c.ellipse(h.cx, h.cy, h.rx * 1.40, h.ry * 1.26, (120, 156, 206))
    draw_hair_back(c, h, i["hair"])
    if ctx["body"] != "emoji":
        draw_body(c, h, i, ctx)
    draw_face_shape(c, h, ctx["body"])
    draw_hair_front(c, h, i["hair"])
    if ctx["body"] == "robot":
        c.ellipse(h.cx, h.top - .13, .046, .046, RED)
    features(c, h, i, ctx)
    draw_hat(c, h, ctx["hat"])
    if ctx["prop"] == "unicorn":
        draw_unicorn(c)
    draw_prop(c, h, ctx["prop"])


def render(identity, context, size_px=SIZE_PX, features=draw_features):
    """The picture of one person in one context, or of two (`context["other"]` is the one on the right), as a PIL image.

    `features` draws what is in a face, as `draw_features` does; another function may draw it wrong on purpose.
    """
    i, ctx = identity, context
    if ctx["scar"] and i["glasses"] == "none":  # Harry Potter lends his glasses
        i = {**i, "glasses": "round", "frame": "black"}
    sketch = ctx["style"] == "pencil sketch" and ctx["scene"] == "plain"
    c = Canvas(size_px, PAPER if sketch else COLOURS[ctx["background"]])
    draw_scene(c, ctx["scene"])
    if ctx.get("other"):
        for x, who, shirt in zip(PAIR_X, (i, ctx["other"]), (ctx["shirt"], ctx["other_shirt"]), strict=True):
            with c.zoomed(x, PAIR_ZOOM, PAIR_LIFT):
                draw_person(c, who, {**ctx, "shirt": shirt, "dx": 0.}, features)
    else:
        draw_person(c, i, ctx, features)
    if ctx["mount"] != "gilded frame":
        draw_mount(c, ctx["mount"])
        return apply_style(c.image, ctx["style"], size_px)
    framed = Canvas(size_px, WHITE)  # around the painting, not of it
    framed.image = apply_style(c.image, ctx["style"], size_px).resize(c.image.size, Image.BICUBIC)
    framed.draw = ImageDraw.Draw(framed.image)
    draw_mount(framed, ctx["mount"])
    return framed.image.resize((size_px, size_px), Image.LANCZOS)
