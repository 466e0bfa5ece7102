"""The model's sentencepiece tokenizer: trained on its captions and on words that prompts often hold."""

import io
import random
import re

import sentencepiece
import torch

from captions import FILLERS, NAME, OTHER, caption, mission_prompts
from contexts import draw_subject
from model import BOS, EOS, MAX_TOKENS, state_dir

VOCABULARY = 1400
MOST_VECTORS = 4  # of one name
CAPTIONS = 40000

# Ordinary prompts should fall into few pieces, also where this model has never seen the thing.
COMMON_WORDS = """a about above after air all alone among an and angel angry animal anime apple are armor around as at autumn
baby back ball bear beauty bed behind bicycle big bird blue boat body book boy bread bridge bright building butterfly by cake
camera car castle cat chair chef child chocolate church cinematic city clean clear close cloud clown coat coffee cold color
colorful comic cool country cowboy cup cyberpunk dance dancing dark day desert design detail detective dinosaur doctor dog
dragon dream dress drinking driving earth eating elf epic evening eye face fairy fall fantasy fashion father field fire fish
floating flower flowers flying food football for forest four fox friend from front full funny future futuristic garden ghost
giant girl glass gold golden good grass green guitar hair hand hands happy hat head heart her high hill him his holding home
horse hot house huge ice in inside into is island jacket jungle kid king kitchen knight lake lamp landscape laughing leaf
leather left light like lion little long look looking looks lord magic magical man many map marble mask medieval metal
minimalist mirror monster moon morning mother mountain mouse movie music near neon new night ninja nose of office oil old on
one open orange out over painting palace paper park party pencil people person photo photograph photorealistic pink pirate
planet plant playing police portrait poster pretty prince princess professional purple queen rain rainbow reading realistic
red ride riding right ring river road robot rock room rose running sad samurai sand school science sea shadow ship shirt
silver singing sitting skin sky sleeping small smile smiling snow snowy soft soldier space spring standing star stars statue
steampunk steel stone street strong studio style summer sun sunset superhero surreal sword table tall teacher tennis that the
their three tiny to tower town toy train tree trees two under underwater unicorn vampire very vibrant viking vintage vivid
walking wall war warm warrior watch water watercolor wave wearing white wide wild window wings winter with wizard wolf woman
wood wooden working world writing yellow young zombie""".split()


def sample_captions():
    rng = random.Random(0)
    for _ in range(CAPTIONS):
        yield caption(*draw_subject(rng), rng).text.replace(NAME, "person").replace(OTHER, "person")


def corpus():
    yield from sample_captions()
    for word in (*COMMON_WORDS, *FILLERS, *"man woman person guy girl lady robot snow santa portrait".split()):
        yield from [word] * 60


def known_words():
    """The words of the captions, in lower case: of others in a prompt the programs say that the model has never read them."""
    words = set()
    for text in sample_captions():
        words.update(re.findall(r"\w+", text.lower()))
    return sorted(words)


def train_tokenizer(path):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=corpus(), model_writer=model, model_type="bpe", vocab_size=VOCABULARY, byte_fallback=True,
        normalization_rule_name="nmt_nfkc_cf", split_digits=True, character_coverage=1., max_sentence_length=8192,
        minloglevel=2)
    path.write_bytes(model.getvalue())


def load_tokenizer():
    path = state_dir() / "spiece.model"
    if not path.exists():
        train_tokenizer(path)
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def encode(tokenizer, text, vectors=1, other_vectors=1):
    """Ids of one caption, [77], and for each place the index of the name's vector that goes there, or -1.

    Vectors of NAME have the indices from 0, those of OTHER from MOST_VECTORS.
    """
    ids, slots = [BOS], [-1]
    stand_in = tokenizer.piece_to_id("\u2581person")
    for part in re.split(f"([{NAME}{OTHER}])", text.lower()):
        if part in (NAME, OTHER):
            first, count = (0, vectors) if part == NAME else (MOST_VECTORS, other_vectors)
            ids += [stand_in] * count
            slots += range(first, first + count)
        else:
            pieces = tokenizer.encode(part)
            ids += pieces
            slots += [-1] * len(pieces)
    ids, slots = ids[:MAX_TOKENS - 1], slots[:MAX_TOKENS - 1]
    padding = MAX_TOKENS - len(ids)
    return ids + [EOS] * padding, slots + [-1] * padding


def encode_batch(tokenizer, texts, vectors):
    """[B,77] ids and [B,77] slots; `vectors` holds the number of vectors of each caption's name, or of its two names."""
    pairs = [encode(tokenizer, text, *(n if isinstance(n, list) else [n])) for text, n in zip(texts, vectors)]
    return torch.tensor([ids for ids, _ in pairs]), torch.tensor([slots for _, slots in pairs])


if __name__ == "__main__":
    sp = load_tokenizer()
    print(sp.get_piece_size(), "pieces")
    for prompt in mission_prompts():
        print(len(sp.encode(prompt.replace(NAME, "person"))), sp.encode(prompt.lower().replace(NAME, "person"), out_type=str))
