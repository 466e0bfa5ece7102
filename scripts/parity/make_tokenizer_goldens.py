#!/usr/bin/env python3
"""Makes the reference data of the tokenizers' tests with transformers and sentencepiece, and says
where open_clip's tokenizer differs from transformers'.

    pip install -r scripts/parity/requirements.txt
    pip install sentencepiece==0.2.1 # that of third_party/versions.env
    pip install --no-deps open_clip_torch==3.3.0 ftfy==6.3.1 regex wcwidth
    python scripts/parity/make_tokenizer_goldens.py tests/data/tokenizer

Writes `lines.jsonl`, 2,000 lines of mixed text, a JSON string each; `t5.model`, a small sentencepiece
model with T5's settings; and `golden.safetensors`: for CLIP's tokenizer as in Stable Diffusion 1
(`sd1`), the same as in 2 (`sd2`, only lines whose ids differ), `t5` and our own model (`own`) the ids
one after the other, which lines they are of, and how many each has. The versions are in its metadata.
Prints the kinds of difference between open_clip and transformers as a table for docs/parity.md.
Everything is seeded: the same versions write the same values.
"""

import html
import importlib.util
import io
import json
import random
import sys
import tempfile
import unicodedata
from pathlib import Path

import ftfy
import sentencepiece
import tokenizers
import torch
import transformers
from safetensors.torch import save_file

from clip_tokenizer import clip_tokenizer

ROOT = Path(__file__).resolve().parents[2]
OWN_MODEL = ROOT / "tests/data/tiny/tokenizer/spiece.model"
LINES = 2000

# ---------------------------------------------------------------- the lines

SUBJECTS = """a portrait of a woman|two astronauts|the old lighthouse|a red fox|my neighbour's cat|a robot
an oil painting of a harbour|the queen of hearts|a bowl of ramen|a medieval knight|an isometric room
a steam locomotive|three penguins|a cup of coffee|a dragon made of glass|a street in Lisbon""".replace("\n", "|").split("|")
STYLES = """digital art|35mm film, f/1.8, ISO 400|trending on artstation|in the style of Hokusai|8k, uhd, HDR
cinematic lighting|low-poly|watercolour on paper|by an unknown master, ca. 1650|pixel art (16x16)
studio photo --ar 16:9|line drawing; no colours|isn't it lovely?|they're smiling|we've been here|I'd say "wow"
rule of thirds / golden ratio|#nofilter @home|price: $3.50 & up|[masterpiece:1.2], ((best quality))""".replace("\n", "|").split("|")
SENTENCES = """Ein Mädchen in Grün läuft über die große Straße.
L'été dernier, un garçon mangeait une crème brûlée à Besançon.
El niño comió piñas en la montaña; ¿quién lo vio?
Um coração português não esquece a canção.
Çocuk İstanbul'da güneşli bir gün IĞDIR'ı düşledi.
Žluťoučký kůň úpěl ďábelské ódy.
Zażółć gęślą jaźń, powiedział ŁUKASZ.
Árvíztűrő tükörfúrógép és ŐSZI eső.
Þórður át ísinn á Ísafirði.
Mịt mờ sương sớm trên sông Hồng ở HÀ NỘI.
Рыжая лиса бежит по снегу возле МОСКВЫ.
Їжак їсть яблуко під ялинкою в Києві.
Η γάτα ΤΗΣ ΟΔΥΣΣΕΙΑΣ κοιμάται στον ήλιο.
Սեւ կատուն քնած է Երեւանում։
ქართული ანბანი ლამაზია.
צילום של חתול שחור בירושלים, שָׁלוֹם.
صورة قطة سوداء في القاهرة، السَّلَامُ عَلَيْكُمْ.
تصویر یک روباه سرخ در برف تهران.
एक लाल लोमड़ी बर्फ में दौड़ती है।
একটি লাল শিয়াল বরফে দৌড়ায়।
ਲਾਲ ਲੂੰਬੜੀ ਬਰਫ਼ ਵਿੱਚ ਦੌੜਦੀ ਹੈ।
એક લાલ શિયાળ બરફમાં દોડે છે.
ஒரு சிவப்பு நரி பனியில் ஓடுகிறது.
ఒక ఎర్ర నక్క మంచులో పరుగెత్తుతుంది.
ಕೆಂಪು ನರಿ ಹಿಮದಲ್ಲಿ ಓಡುತ್ತದೆ.
ഒരു ചുവന്ന കുറുക്കൻ മഞ്ഞിൽ ഓടുന്നു.
රතු හිවලෙක් හිමේ දුවයි.
สุนัขจิ้งจอกสีแดงวิ่งในหิมะ ราคา ๑๒๓ บาท
ໝາຈອກສີແດງແລ່ນໃນຫິມະ
မြေခွေးနီ နှင်းထဲမှာ ပြေးနေသည်။
កញ្ជ្រោងក្រហមរត់ក្នុងព្រិល។
བོད་ཡིག་ནི་མཛེས་པོ་རེད།
Улаан үнэг цасан дээр гүйж байна. ᠮᠣᠩᠭᠣᠯ
一隻紅色的狐狸在雪地裡奔跑,二〇二四年。
红色的狐狸在雪地里奔跑，北京。
赤いキツネが雪の中を走る。ﾊﾝｶｸ ＦＵＬＬ　ＷＩＤＴＨ １２３
빨간 여우가 눈 속을 달린다. 서울에서!
ቀይ ቀበሮ በበረዶ ውስጥ ይሮጣል።
ᎣᏏᏲ ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ
ᚠᚢᚦᚨᚱᚲ ᚷᚹᚺᚾᛁᛃ
𐌰𐌱𐌲 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛 𠀋𠮷""".split("\n")
EMOJI = """😀 😂 🥰 👍🏽 👩‍🚀 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 🇯🇵 1️⃣ #️⃣ ❤️ ❤ ☀︎ ☃ 🦊 🐱‍👤 ✨ 🎨 🤷🏿‍♀️ 🫠 ™️ ♟ 🀄 🧑🏻‍🤝‍🧑🏿 🏴󠁧󠁢󠁳󠁣󠁴󠁿""".split(" ")
ENTITIES = """&amp; &lt;b&gt; &quot;quoted&quot; &#39;s &#x27;re &nbsp; &eacute;t&eacute; &copy;2024 &amp;amp; &amp;lt; &hellip; &mdash;
&#128512; &#x1F98A; &notit; &bogus; &ampersand &#0; &#150; &szlig; &Auml;pfel &euro;5 &frac12; AT&T a&b; &#xD800; &times;""".split()
ODDITIES = """cafÃ©|â€œquotedâ€\x9d|donâ€™t|Ã¼ber|rÃ©sumÃ©|“curly” and ‘single’|don’t|it’s ’s|ﬁne ﬂow eﬃcient|ǆ Ǆ ǅ
ＡＢＣ　１２３|½ ⅓ Ⅷ ⅷ ² ₃ ① ㊿ 五|x² + y³ ≠ ∞|a\u0301e\u0308o\u0302 u\u0308\u0304|\u1112\u1161\u11ab\u1100\u1173\u11af|A\u030a Å \u212b
\u1e9b\u0323 \u0344 \u0958 \u2126 \u212a|ß ẞ ŉ ǰ|İ i̇ ı I|ΑΣ ΣΑΣ Σ|'ſ 'S ''s 's's|don't DON'T DoN'T y'all'd've|'tis 'twas 'RE 'll'm
a_b-c+d=e~f|!!! ?! ... --- *** ###|wow! yes!no !ok !|(((nested))) [[x]] {{y}}|http://example.org/?q=1&r=%20#top|me@example.org
C:\\path\\to|\\n \\t \\\\|1234567890 1,000.50 3.14e-10|v1.5 SD2 SDXL 4K mp3|snake_case camelCase PascalCase|<b>bold</b> <br/>
<3 >_< :-) ;) \\o/ ¯\\_(ツ)_/¯|naïve façade coöperate|ŒUVRE Œuvre œuvre|\u0627\u064b\u0651|\u0e01\u0e33|\u0bca \u0bc6\u0bbe""".replace("\n", "|").split("|")
SPECIALS = """<|startoftext|> <|endoftext|> <|STARTOFTEXT|> <|EndOfText|> <start_of_text> <end_of_text> <|endoftext|>!! <|EndOfText|>!!
<|endoftext|<|endoftext|> <|startoftext|>\u0338 <|endoftext|>\u0338 <|ENDOFTEXT|>\u0338 x<|endoftext|>y <|STARTOFTEXT|>! </w> word</w>
!!<|startoftext|> <|startoftext|\u212a> <|startoftext|><|startoftext|> '<|endoftext|>'s""".split()
SPACES = "\t \r \x0b \x0c \x1c \x1d \x1e \x1f \x85 \xa0 \u1680 \u2003 \u2009 \u200b \u2028 \u2029 \u202f \u205f \u2060 \u3000 \ufeff".split(" ")
CONTROLS = [chr(c) for c in [*range(0, 10), *range(11, 32), *range(127, 160)]] + list("\u00ad\u200d\u200c\u200e\u200f\u202e\u2066\u2069\ufff9\ufffd\ufffe\U000e0001")
# Characters of Unicode 3.2: what was added later is newer than the tables of some of the libraries.
OLD = [chr(c) for c in range(0x21, 0x30000) if unicodedata.ucd_3_2_0.category(chr(c)) not in ("Cn", "Cs", "Co")]
MARKS = [c for c in OLD if unicodedata.category(c).startswith("M")]


def shaken(rng: random.Random, text: str) -> str:
    """The text in capitals, title case or another normal form."""
    form = rng.choice([str, str.upper, str.title, str.swapcase, *(
        lambda t, name=name: unicodedata.normalize(name, t) for name in ("NFD", "NFC", "NFKD"))])
    return form(text)


def prompt(rng: random.Random) -> str:
    return f"{rng.choice(SUBJECTS)}, " + ", ".join(rng.sample(STYLES, rng.randint(1, 4)))


def soup(rng: random.Random, characters: list, most: int = 14) -> str:
    return "".join(rng.choice(characters) for _ in range(rng.randint(1, most)))


def sprinkled(rng: random.Random, text: str, parts: list) -> str:
    """The text with some of `parts` at random places, between and within words."""
    for _ in range(rng.randint(1, 4)):
        place = rng.randint(0, len(text))
        glue = rng.choice(["", " "])
        text = text[:place] + glue + rng.choice(parts) + glue + text[place:]
    return text


def long_prompt(rng: random.Random) -> str:
    """About 300 tokens."""
    text = ""
    while len(text) < 1100:
        text += rng.choice([prompt, lambda r: r.choice(SENTENCES), lambda r: soup(r, EMOJI, 3)])(rng) + " "
    return text


def make_lines() -> list:
    rng = random.Random(20)
    lines = ["", " ", "\t\r ", "a", "!", "'", "\x00", "\ufeff", "é", "e\u0301", "a" * 300, "!" * 100, "x!" * 40, "ab" * 120,
             "漢" * 60, "😀" * 30, "\u0301" * 20, "a" + "\u0327\u0301" * 10]
    lines += SENTENCES + EMOJI + ENTITIES + ODDITIES + SPECIALS
    lines += [f"a{c}b {c} c" for c in CONTROLS + SPACES]
    makers = [
        (5, prompt),
        (3, lambda r: shaken(r, r.choice(SENTENCES))),
        (2, lambda r: sprinkled(r, prompt(r), EMOJI)),
        (2, lambda r: sprinkled(r, prompt(r), ENTITIES)),
        (2, lambda r: sprinkled(r, prompt(r), CONTROLS)),
        (1, lambda r: sprinkled(r, prompt(r), SPACES)),
        (1, lambda r: sprinkled(r, shaken(r, prompt(r)), SPECIALS)),
        (2, lambda r: sprinkled(r, shaken(r, r.choice(SENTENCES)), ODDITIES)),
        (2, lambda r: shaken(r, soup(r, OLD))),
        (1, lambda r: sprinkled(r, r.choice(SENTENCES), MARKS)),
        (1, lambda r: soup(r, OLD + CONTROLS * 20 + SPACES * 50, 25)),
        (0.2, long_prompt),
    ]
    weights = [weight for weight, _ in makers]
    while len(lines) < LINES:
        # A line break would not be a line.
        lines.append(rng.choices(makers, weights)[0][1](rng).replace("\n", " "))
    return lines


# ---------------------------------------------------------------- the tokenizers


def train_t5_like(lines: list) -> bytes:
    """A small unigram model with T5's settings: no begin token, no byte fallback."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for line in lines if "\x00" not in line]), model_writer=model, model_type="unigram",
        vocab_size=900, hard_vocab_limit=False, character_coverage=0.98, num_threads=1, minloglevel=2,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, normalization_rule_name="nmt_nfkc")
    return model.getvalue()


def load_open_clip():
    """open_clip's tokenizer without the rest of the package, which imports libraries for pictures."""
    package = Path(importlib.util.find_spec("open_clip").origin).parent
    spec = importlib.util.spec_from_file_location("open_clip_tokenizer", package / "tokenizer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SimpleTokenizer()


# ---------------------------------------------------------------- the differences


# The steps of ftfy, as it names them, that undo a wrong decoding.
MOJIBAKE = ("latin-1", "iso-8859", "windows", "macroman", "cp437", "utf-8", "transcode", "decode_inconsistent_utf8", "restore_byte_a0",
            "replace_lossy_sequences")
STEPS = {
    "unescape_html": "HTML entities are resolved",
    "remove_control_chars": "control characters are removed (ftfy)",
    "fix_c1_controls": "U+0080 to U+009F are read as Windows-1252 (ftfy)",
    "uncurl_quotes": "curly quotes become straight ones (ftfy)",
    "fix_character_width": "full-width and half-width forms become ordinary ones (ftfy)",
    "fix_latin_ligatures": "Latin ligatures are taken apart (ftfy)",
}


def kinds_of_difference(text: str) -> set:
    """What open_clip does to this text and transformers does not, or the other way round."""
    fixed, steps = ftfy.fix_and_explain(text)
    kinds = {STEPS[name] for _, name in steps or [] if name in STEPS}
    if any(name.removeprefix("sloppy-").startswith(MOJIBAKE) for _, name in steps or []):
        kinds.add("wrongly decoded text is repaired (ftfy)")
    unescaped = html.unescape(html.unescape(fixed))
    if unescaped != fixed:
        kinds.add(STEPS["unescape_html"])
    lowered = unescaped.lower()
    if lowered != "".join(c.lower() for c in unescaped):
        kinds.add("Σ at the end of a word becomes ς, not σ")
    if "'ſ" in lowered:
        kinds.add("'ſ counts as 's: the pattern ignores case")
    if "\u0345" in lowered:
        kinds.add("U+0345 vanishes: no branch of the pattern, which ignores case there, matches it")
    if any(token in text.lower() for token in ("<|startoftext|>", "<|endoftext|>", "<start_of_text>", "<end_of_text>")):
        kinds.add("special tokens spelt in the text")
    return kinds or {"unexplained"}


def report(lines: list, clip, open_clip) -> None:
    """Prints how many lines each kind of difference is in, and its shortest example."""
    counts: dict = {}
    examples: dict = {}
    differing = [line for line in lines if clip(line) != open_clip.encode(line)]
    for line in differing:
        kinds = kinds_of_difference(line)
        for kind in kinds:
            counts[kind] = counts.get(kind, 0) + 1
            examples[kind] = min(examples.get(kind, (99, 0, "")), (len(kinds), len(line), line))
    print(f"{len(differing)} of {len(lines)} lines differ between transformers and open_clip\n")
    print("| what open_clip does | lines | example | transformers | open_clip |\n|---|---|---|---|---|")
    for kind, count in sorted(counts.items(), key=lambda item: -item[1]):
        line = examples[kind][2]
        print(f"| {kind} | {count} | `{json.dumps(line)}` | {clip(line)} | {open_clip.encode(line)} |")


def main(folder: Path) -> None:
    wanted = (ROOT / "third_party/versions.env").read_text().split("SDX_SENTENCEPIECE_VERSION=")[1].split()[0]
    if sentencepiece.__version__ != wanted:
        raise SystemExit(f"sentencepiece: expected {wanted}, with which sdx is built, found {sentencepiece.__version__}")
    folder.mkdir(parents=True, exist_ok=True)
    lines = make_lines()
    (folder / "lines.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    t5 = train_t5_like(lines)
    (folder / "t5.model").write_bytes(t5)

    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        sd1 = clip_tokenizer(Path(first), "<|endoftext|>")
        sd2 = clip_tokenizer(Path(second), "!")
    encoders = {"sd1": lambda line: sd1(line, add_special_tokens=False).input_ids,
                "sd2": lambda line: sd2(line, add_special_tokens=False).input_ids}
    for name, model in {"t5": t5, "own": OWN_MODEL.read_bytes()}.items():
        encoders[name] = sentencepiece.SentencePieceProcessor(model_proto=model).encode

    golden = {}
    for name, encode in encoders.items():
        rows = {i: encode(line) for i, line in enumerate(lines)}
        if name == "sd2":  # the few that differ from sd1's
            rows = {i: row for i, row in rows.items() if row != encoders["sd1"](lines[i])}
        largest = torch.int32 if name.startswith("sd") else torch.int16
        golden[f"{name}.ids"] = torch.tensor(sum(rows.values(), []), dtype=largest)
        golden[f"{name}.lines"] = torch.tensor(list(rows), dtype=torch.int16)
        golden[f"{name}.lengths"] = torch.tensor([len(row) for row in rows.values()], dtype=torch.int16)
    versions = dict(transformers=transformers.__version__, tokenizers=tokenizers.__version__,
                    sentencepiece=sentencepiece.__version__)
    save_file(golden, folder / "golden.safetensors", versions)
    report(lines, encoders["sd1"], load_open_clip())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
