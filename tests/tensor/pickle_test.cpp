#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include "sdx/tensor/torch_file.h"
#include "sdx/util/error.h"
#include "support/temp_folder.h"
#include "support/torch_bytes.h"
#include "support/torch_checkpoint.h"

#include "support/catch.h"

using Catch::Matchers::ContainsSubstring;
using namespace sdx::test;
using namespace std::string_literals;

namespace {

const std::string kFourFloats = floats({1, 2, 3, 4});

sdx::PickleValue read(const std::string& pickle_bytes) {
  const TempFolder folder;
  return sdx::read_torch_file(folder.file("made.pt", torch_zip(pickle_bytes, kFourFloats)));
}

/// Why a file with this value is refused.
std::string refusal(const std::string& value) {
  try {
    read(pickle(value));
  } catch (const sdx::DataError& error) {
    return error.what();
  }
  return "accepted";
}

std::string refused_tensor(std::int64_t offset, const std::vector<std::int64_t>& sizes,
                           const std::vector<std::int64_t>& strides) {
  return refusal(tensor(storage("0", 4), offset, sizes, strides));
}

std::string repeated(const std::string& part, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += part;
  return all;
}

}  // namespace

TEST_CASE("tensor: a pickle built by hand is read", "[tensor]") {
  const sdx::PickleValue root = read(pickle(wrap_in_dict(tensor(storage("0", 4), 1, {2}, {2}))));
  CHECK(at::equal(*root.find("a")->tensor(), at::tensor({2.0F, 4.0F})));
  CHECK(root.find("a")->tensor()->device().is_cpu());  // although it says cuda:0
  CHECK(*read(pickle("\x8a\x01\xff")).integer() == -1);
  CHECK(*read(pickle(std::string("\x8a\0", 2))).integer() == 0);
  CHECK(*read(pickle("J\xfe\xff\xff\xff")).integer() == -2);
  CHECK(*read(pickle(std::string("G\xbf\xe0\0\0\0\0\0\0", 9))).real() == -0.5);
  CHECK(*read(pickle("U\x02hi")).text() == "hi");
  // A tensor of no values needs none, wherever it begins.
  CHECK(read(pickle(tensor(storage("0", 0), 0, {0, 3}, {3, 1}))).tensor()->numel() == 0);
  // A storage by itself is the tensor of all its values.
  CHECK(read(pickle(storage("0", 3))).tensor()->sizes() == at::IntArrayRef({3}));
}

TEST_CASE("tensor: an expanded tensor is read as PyTorch reads it", "[tensor]") {
  const auto root = read(pickle(wrap_in_dict(tensor(storage("0", 4), 1, {3, 2}, {0, 1}))));
  const at::Tensor& expanded = *root.find("a")->tensor();
  CHECK(at::equal(expanded, at::tensor({2.0F, 3.0F, 2.0F, 3.0F, 2.0F, 3.0F}).view({3, 2})));
  const auto scalar = read(pickle(tensor(storage("0", 4), 3, {70}, {0})));
  CHECK(scalar.tensor()->sum().item<float>() == 280);
}

TEST_CASE("tensor: data of Python and numpy are read as data", "[tensor]") {
  const std::string list_class = global("__builtin__", "list");
  const auto counts = read(pickle(call(global("collections", "defaultdict"), {list_class}) + "(" +
                                  text("a") + "K\x01u"));
  CHECK(*counts.find("a")->integer() == 1);
  const auto ordered = read(pickle(
      call(global("collections", "OrderedDict"),
           {"](" + tuple({text("a"), "K\x01"}) + tuple({text("b"), "K\x02"}) + "e"})));  // Python 2
  CHECK(*ordered.find("b")->integer() == 2);
  const auto queue =
      read(pickle(call(global("collections", "deque"), {"]", integer(3)}) + "(K\x07K\x08" + "e"));
  REQUIRE(queue.list() != nullptr);
  CHECK(*queue.list()->back().integer() == 8);
  for (const char* module : {"numpy.core.multiarray", "numpy._core.multiarray"}) {
    CHECK(*read(pickle(numpy_array(module))).opaque() == "numpy.ndarray");
  }
  CHECK(*read(pickle(call(global("datetime", "datetime"), {encoded("\x07")}))).opaque() ==
        "datetime.datetime");
  CHECK(*read(pickle(call(global("pathlib", "PosixPath"), {text("/"), text("runs")}))).opaque() ==
        "pathlib.PosixPath");
  // Objects of a training program, which Python would make without calling anything.
  CHECK(*read(pickle(object("argparse", "Namespace"))).opaque() == "argparse.Namespace");
  CHECK(*read(pickle(object("my_program.config", "Config"))).opaque() ==
        "my_program.config.Config");
  CHECK(*read(pickle(global("omegaconf.dictconfig", "DictConfig"))).opaque() ==
        "omegaconf.dictconfig.DictConfig");
  const auto with_names =
      read(pickle(global("my_program", "Config") + ")}" + text("a") + "Ns\x92"));
  CHECK(*with_names.opaque() == "my_program.Config");
  // Those that are dicts or lists of their own kind are what is in them.
  const auto dict = read(pickle(global("easydict", "EasyDict") + ")\x81(" + text("a") + "K\x05u"));
  CHECK(*dict.find("a")->integer() == 5);
  const auto list = read(pickle(global("my_program", "List") + ")\x81K\x05" + "a"));
  CHECK(*list.list()->front().integer() == 5);
  // A class is a class by its capital letter: enums and dicts of programs are pickled as calls.
  CHECK(*read(pickle(call(global("my_program", "Colour"), {"K\x01"}))).opaque() ==
        "my_program.Colour");
  const auto own =
      read(pickle(call(global("my_program", "OwnDict"), {}) + "(" + text("a") + "K\x05u"));
  CHECK(*own.find("a")->integer() == 5);
  // As Python 3 writes defaultdict(int) and range(3) in protocol 2.
  const auto of_int =
      read(pickle(call(global("collections", "defaultdict"), {global("__builtin__", "long")})));
  CHECK(of_int.dict() != nullptr);
  CHECK(
      *read(pickle(call(global("__builtin__", "xrange"), {"K\x02", "K\x03", "K\x01"}))).opaque() ==
      "builtins.range");
  CHECK(*read(pickle(global("__builtin__", "Ellipsis"))).opaque() == "builtins.Ellipsis");
  CHECK(*read(pickle(call(global("numpy.random._pickle", "__generator_ctor"), {text("PCG64")})))
             .opaque() == "numpy.random._pickle.__generator_ctor");
  // A long number, a value that is thrown away, and a mark with all behind it.
  CHECK(*read(pickle(std::string("\x8b\x01\0\0\0\x05", 6))).integer() == 5);
  CHECK(*read(pickle("K\x05N0")).integer() == 5);
  CHECK(*read(pickle("K\x05(NNN1")).integer() == 5);
}

TEST_CASE("tensor: the last of two equal keys counts, as in Python", "[tensor]") {
  const auto root = read(pickle("}(" + text("a") + "K\x01" + text("a") + "K\x02" + "u"));
  CHECK(*root.find("a")->integer() == 2);
}

TEST_CASE("tensor: any global but the known ones is refused by name", "[tensor]") {
  for (const char* module : {"os", "posix", "nt", "subprocess", "torch.hub", "runpy", "socket",
                             "importlib.util", "operator", "pickle", "sys"}) {
    INFO(module);
    CHECK_THAT(refusal(global(module, "system")),
               ContainsSubstring("\"" + std::string(module) + ".system\"") &&
                   ContainsSubstring("other programs would run"));
  }
  for (const char* name : {"eval", "exec", "getattr", "open", "__import__", "compile"}) {
    for (const char* module : {"builtins", "__builtin__"}) {  // Python 3 and 2
      CHECK_THAT(refusal(global(module, name)), ContainsSubstring("other programs would run"));
    }
  }
  // What nobody knows is refused where it would be called.
  for (const char* module : {"numpy", "torch", "my_program.models", "__main__"}) {
    INFO(module);
    CHECK_THAT(refusal(call(global(module, "load"), {text("x")})),
               ContainsSubstring("\"" + std::string(module) + ".load\"") &&
                   ContainsSubstring("other programs would run"));
  }
  // The same by protocol 4's opcode, and called.
  CHECK_THAT(refusal(text("os") + text("system") + "\x93"), ContainsSubstring("\"os.system\""));
  CHECK_THAT(refusal(call(global("os", "system"), {text("ls")})),
             ContainsSubstring("\"os.system\""));
  // By protocol 0's opcodes, which torch.save never writes.
  CHECK_THAT(refusal("(" + text("ls") + "ios\nsystem\n"), ContainsSubstring("unknown opcode 0x69"));
  // Names cannot flood or command the terminal.
  CHECK_THAT(refusal(call(global("os\x1b[2J", std::string(500, 'x')), {})),
             ContainsSubstring("\"os?[2J.xxx") && ContainsSubstring("x…\""));
  CHECK_THAT(refusal("c" + std::string(2000, 'x')), ContainsSubstring("has no end"));
  CHECK_THAT(refusal("K\x01K\x02\x93"), ContainsSubstring("expected the name of a global"));
}

TEST_CASE("tensor: tensors that are not ordinary ones are refused with a sentence", "[tensor]") {
  for (const char* name : {"_rebuild_sparse_tensor", "_rebuild_qtensor", "_rebuild_tensor_v3"}) {
    CHECK_THAT(refusal(global("torch._utils", name)), ContainsSubstring(name) &&
                                                          ContainsSubstring("not supported here") &&
                                                          ContainsSubstring("save it again"));
  }
  CHECK_THAT(refusal(storage("0", 1, "ComplexFloatStorage")), ContainsSubstring("not supported"));
  CHECK_THAT(refusal(global("torch._tensor", "_rebuild_from_type_v2")),
             ContainsSubstring("not supported here"));
  CHECK_THAT(refusal(call(global("torch._utils", "_rebuild_tensor_v2"),
                          {storage("0", 4), "K\x00"s + shape({4}), shape({1}), "\x89", "}",
                           "}" + text("neg") + "\x88s"})),
             ContainsSubstring("lazily negated"));
}

TEST_CASE("tensor: a tensor must lie in its storage, and its storage in the file", "[tensor]") {
  CHECK_THAT(refused_tensor(0, {5}, {1}), ContainsSubstring("reaches up to value 4"));
  CHECK_THAT(refused_tensor(1, {4}, {1}), ContainsSubstring("reaches up to value 4"));
  CHECK_THAT(refused_tensor(0, {2, 2}, {3, 1}), ContainsSubstring("reaches up to value 4"));
  CHECK_THAT(refused_tensor(4, {}, {}), ContainsSubstring("which has 4"));
  // Strides of 0: one value that would be a terabyte when it is copied, or many such.
  CHECK_THAT(refused_tensor(0, {65'536, 257}, {0, 0}), ContainsSubstring("expanded from few"));
  const std::string megabytes = tensor(storage("0", 4), 0, {10'000'000}, {0});
  CHECK_THAT(refusal("(" + megabytes + megabytes + "t"), ContainsSubstring("expanded from few"));
  CHECK_THAT(refused_tensor(0, {1'000'000, 1'000'000}, {0, 0}),
             ContainsSubstring("of 1000000000000 values"));
  CHECK_THAT(refused_tensor(-1, {1}, {1}), ContainsSubstring("impossible"));
  CHECK_THAT(refused_tensor(0, {-1}, {1}), ContainsSubstring("impossible"));
  CHECK_THAT(refused_tensor(3, {2}, {-1}), ContainsSubstring("impossible"));
  const std::int64_t huge = std::int64_t{1} << 62;
  CHECK_THAT(refused_tensor(0, {huge, huge}, {0, 0}), ContainsSubstring("impossible"));
  CHECK_THAT(refused_tensor(0, {0, huge, huge}, {0, 0, 0}), ContainsSubstring("impossible"));
  CHECK_THAT(refused_tensor(0, {huge}, {huge}), ContainsSubstring("impossible"));
  CHECK_THAT(refused_tensor(huge, {2, 2}, {huge, 1}), ContainsSubstring("impossible"));
  CHECK_THAT(refused_tensor(0, {2, 2}, {1}), ContainsSubstring("2 sizes and 1 strides"));
  CHECK_THAT(refused_tensor(0, std::vector<std::int64_t>(65, 1), {}),
             ContainsSubstring("65 sizes: damaged"));

  const auto with_storage = [](const std::string& it) { return refusal(tensor(it, 0, {4}, {1})); };
  // Hundreds of gigabytes.
  CHECK_THAT(with_storage(storage("0", 100'000'000'000)),
             ContainsSubstring("claims 400000000000 bytes, its record has 16"));
  CHECK_THAT(with_storage(storage("0", huge)), ContainsSubstring("impossible size"));
  CHECK_THAT(with_storage(storage("0", -1)), ContainsSubstring("not an ordinary storage"));
  CHECK_THAT(with_storage(storage("1", 4)), ContainsSubstring("\"data/1\" is missing"));
  CHECK_THAT(with_storage(storage("../data.pkl", 4)), ContainsSubstring("is missing"));
  CHECK_THAT(refusal("(" + storage("0", 4) + storage("0", 3) + "t"),
             ContainsSubstring("of two kinds or sizes"));
  CHECK_THAT(refusal("(" + storage("0", 4) + storage("0", 4, "IntStorage") + "t"),
             ContainsSubstring("of two kinds or sizes"));
  CHECK_THAT(refusal(storage("0", 4, "BoolStorage")), ContainsSubstring("neither 0 nor 1"));
}

TEST_CASE("tensor: calls with arguments that torch.save does not write are refused", "[tensor]") {
  const std::string rebuild = global("torch._utils", "_rebuild_tensor_v2");
  const std::string sizes = shape({4});
  CHECK_THAT(refusal(call(rebuild, {})), ContainsSubstring("other arguments"));
  CHECK_THAT(refusal(call(rebuild, {"N", integer(0), sizes, sizes, "N", "N"})),
             ContainsSubstring("other arguments"));
  CHECK_THAT(refusal(call(rebuild, {storage("0", 4), integer(0), "N", sizes, "N", "N"})),
             ContainsSubstring("expected the sizes of a tensor, found None"));
  CHECK_THAT(refusal(call(rebuild, {storage("0", 4), integer(0), tuple({"N"}), sizes, "N", "N"})),
             ContainsSubstring("expected whole numbers"));
  // A tensor in place of a storage, whose values do not lie one after the other.
  CHECK_THAT(refusal(tensor(tensor(storage("0", 4), 0, {2}, {2}), 0, {2}, {1})),
             ContainsSubstring("other arguments"));
  CHECK_THAT(refusal(call(global("torch._utils", "_rebuild_parameter"), {"N"})),
             ContainsSubstring("other arguments"));
  CHECK_THAT(refusal(call(global("collections", "OrderedDict"), {"K\x01"})),
             ContainsSubstring("other arguments"));
  CHECK_THAT(refusal(call(global("torch", "Size"), {"K\x01"})),
             ContainsSubstring("other arguments"));
  CHECK_THAT(refusal(call(global("torch", "FloatStorage"), {"K\x01"})),
             ContainsSubstring("other arguments"));
  CHECK_THAT(refusal("K\x01)R"), ContainsSubstring("expected a class or function"));
  CHECK_THAT(refusal(text("0") + "Q"), ContainsSubstring("not an ordinary storage"));
  CHECK_THAT(refusal(tuple({text("module"), "N", "N", "N", "K\x01"}) + "Q"),
             ContainsSubstring("save the state_dict"));
  CHECK_THAT(refusal(tuple({text("module"), global("torch", "FloatStorage"), text("0"), text("cpu"),
                            integer(4)}) +
                     "Q"),
             ContainsSubstring("not an ordinary storage"));
  CHECK_THAT(refusal(tuple({text("storage"), global("collections", "OrderedDict"), text("0"),
                            text("cpu"), integer(4)}) +
                     "Q"),
             ContainsSubstring("is not a class of storages"));
  CHECK_THAT(refusal(global("torch.nn.modules.container", "ParameterDict") + ")\x81}b"),
             ContainsSubstring("expected the attributes of a ParameterDict"));
}

TEST_CASE("tensor: a pickle that is no sequence of known opcodes is refused with its place",
          "[tensor]") {
  CHECK_THAT(refusal("K\x01\x0a"), ContainsSubstring("byte 4 of its pickle: unknown opcode 0x0a"));
  CHECK_THAT(refusal(""), ContainsSubstring("ends with 0 values"));
  CHECK_THAT(refusal("NN"), ContainsSubstring("ends with 2 values"));
  CHECK_THAT(refusal("\x80\x06N"), ContainsSubstring("its protocol is 6"));
  for (const char* value : {"a", "Na", "s", "NNs", "R", "b", "Q", "\x85", "\x87", "q\x01", "\x94",
                            "N(\x85", "](q\x01", "N(R"}) {
    INFO(value);
    CHECK_THAT(refusal(value), ContainsSubstring("where there is none"));
  }
  for (const char* value : {"t", "e", "]Nu", "\x90", "\x91"}) {
    INFO(value);
    CHECK_THAT(refusal(value), ContainsSubstring("a mark where there is none"));
  }
  CHECK_THAT(refusal("}(Nu"), ContainsSubstring("has no value"));
  CHECK_THAT(refusal("}Na"), ContainsSubstring("expected a list to put something into"));
  CHECK_THAT(refusal(")Na"), ContainsSubstring("expected a list to put something into"));
  CHECK_THAT(refusal("]NNs"), ContainsSubstring("expected a dict to put something into"));
  CHECK_THAT(refusal("h\x07"), ContainsSubstring("refers to value 7"));
  // Truncated: in each kind of opcode, and before the end.
  CHECK_THROWS_WITH(read("\x80\x02N"),
                    ContainsSubstring("byte 3") && ContainsSubstring("truncated"));
  for (const std::string& value :
       {"X\xff\xff\xff\xffshort"s, "\x8c\xffshort"s, "\x8d\xff\xff\xff\xff\xff\xff\xff\xffx"s,
        "C\xffx"s, "\x8e\xff\xff\xff\xff\xff\xff\xff\x7fx"s, "\x8a\xff\x01"s, "cos\nsys"s, "G\x01"s,
        "J\x01"s, "\x95\x01"s, "j\x01"s}) {
    INFO(value);
    CHECK_THAT(refusal(value), ContainsSubstring("truncated"));
  }
  CHECK_THAT(refusal("\x8b\xff\xff\xff\x7f"), ContainsSubstring("truncated"));  // LONG4
}

TEST_CASE("tensor: a pickle cannot make circles, depths or masses of values", "[tensor]") {
  CHECK_THAT(refusal("]q\x01h\x01"
                     "a"),
             ContainsSubstring("cyclic"));
  CHECK_THAT(refusal("}q\x01" + text("a") + "h\x01s"), ContainsSubstring("cyclic"));
  CHECK_THAT(refusal("]q\x01h\x01\x86"), ContainsSubstring("accepted"));
  // A list in a tuple that is put into the list.
  CHECK_THAT(refusal("]q\x01h\x01\x85"
                     "a"),
             ContainsSubstring("cyclic"));
  // Two lists in each other.
  CHECK_THAT(refusal("]q\x01]q\x02h\x01"
                     "ah\x02"
                     "a"),
             ContainsSubstring("cyclic"));

  CHECK_THAT(refusal(repeated("]", 100) + repeated("a", 99)), ContainsSubstring("accepted"));
  CHECK_THAT(refusal(repeated("]", 101) + repeated("a", 100)),
             ContainsSubstring("nested more than 100 deep"));
  CHECK_THAT(refusal("N" + repeated("\x85", 1'000'000)), ContainsSubstring("nested more than"));
  // 2^90 values when written out, 91 in memory.
  CHECK_THAT(refusal("N" + repeated("q\x01h\x01\x86", 90)), ContainsSubstring("accepted"));

  CHECK_THAT(refusal("(" + repeated("N", 2'100'000) + "t"), ContainsSubstring("2000000 values"));
  CHECK_THAT(refusal(repeated("(", 2'100'000)), ContainsSubstring("2000000 values"));
  CHECK_THAT(refusal("N" + repeated("\x94", 2'100'000)), ContainsSubstring("2000000 values"));
}
