#include "tensor/torch_objects.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

enum class Meaning { kTensor, kParameter, kDict, kDefaultDict, kList, kArray, kStorage, kOpaque };

struct Known {
  std::string_view name;
  Meaning meaning;
};

/// More than any embedding, less than anybody would miss.
constexpr std::uint64_t kMaxExpandedBytes = std::uint64_t{64} << 20U;

constexpr std::string_view kParameterDict = "torch.nn.modules.container.ParameterDict";

constexpr std::array kKnown = {
    Known{"torch._utils._rebuild_tensor_v2", Meaning::kTensor},
    Known{"torch._utils._rebuild_parameter", Meaning::kParameter},
    Known{"torch._utils._rebuild_parameter_with_state", Meaning::kParameter},
    Known{"collections.OrderedDict", Meaning::kDict},
    Known{"collections.Counter", Meaning::kDict},
    Known{kParameterDict, Meaning::kOpaque},
    Known{"collections.defaultdict", Meaning::kDefaultDict},
    Known{"collections.deque", Meaning::kList},
    Known{"torch.Size", Meaning::kList},
    Known{"builtins.set", Meaning::kList},
    Known{"builtins.frozenset", Meaning::kList},
    Known{"builtins.bytes", Meaning::kOpaque},
    Known{"builtins.bytearray", Meaning::kOpaque},
    Known{"builtins.complex", Meaning::kOpaque},
    Known{"builtins.slice", Meaning::kOpaque},
    Known{"builtins.range", Meaning::kOpaque},
    Known{"builtins.object", Meaning::kOpaque},
    Known{"builtins.list", Meaning::kList},
    Known{"builtins.tuple", Meaning::kList},
    Known{"builtins.dict", Meaning::kDict},
    Known{"builtins.int", Meaning::kOpaque},
    Known{"builtins.float", Meaning::kOpaque},
    Known{"builtins.bool", Meaning::kOpaque},
    Known{"builtins.str", Meaning::kOpaque},
    Known{"builtins.type", Meaning::kOpaque},
    Known{"_codecs.encode", Meaning::kOpaque},  // bytes, in protocol 2
    Known{"copyreg._reconstructor", Meaning::kOpaque},
    Known{"datetime.date", Meaning::kOpaque},
    Known{"datetime.datetime", Meaning::kOpaque},
    Known{"datetime.time", Meaning::kOpaque},
    Known{"datetime.timedelta", Meaning::kOpaque},
    Known{"datetime.timezone", Meaning::kOpaque},
    Known{"decimal.Decimal", Meaning::kOpaque},
    Known{"fractions.Fraction", Meaning::kOpaque},
    Known{"uuid.UUID", Meaning::kOpaque},
    Known{"re._compile", Meaning::kOpaque},
    Known{"_io.BytesIO", Meaning::kOpaque},
    Known{"functools.partial", Meaning::kOpaque},
    Known{"types.SimpleNamespace", Meaning::kOpaque},
    Known{"argparse.Namespace", Meaning::kOpaque},
    Known{"pathlib.Path", Meaning::kOpaque},
    Known{"pathlib.PosixPath", Meaning::kOpaque},
    Known{"pathlib.WindowsPath", Meaning::kOpaque},
    Known{"pathlib.PurePath", Meaning::kOpaque},
    Known{"pathlib.PurePosixPath", Meaning::kOpaque},
    Known{"pathlib.PureWindowsPath", Meaning::kOpaque},
    Known{"numpy.core.multiarray.scalar", Meaning::kOpaque},
    Known{"numpy.core.multiarray._reconstruct", Meaning::kArray},
    Known{"numpy.core.numeric._frombuffer", Meaning::kArray},
    Known{"numpy.ndarray", Meaning::kArray},
    Known{"numpy.dtype", Meaning::kOpaque},
    Known{"numpy.ma.core._mareconstruct", Meaning::kArray},
    Known{"torch.serialization._get_layout", Meaning::kOpaque},
    Known{"torch.nn.parameter.Parameter", Meaning::kOpaque},
    Known{"torch.device", Meaning::kOpaque},
    Known{"torch.float64", Meaning::kOpaque},
    Known{"torch.float32", Meaning::kOpaque},
    Known{"torch.float16", Meaning::kOpaque},
    Known{"torch.bfloat16", Meaning::kOpaque},
    Known{"torch.int64", Meaning::kOpaque},
    Known{"torch.int32", Meaning::kOpaque},
    Known{"torch.int16", Meaning::kOpaque},
    Known{"torch.int8", Meaning::kOpaque},
    Known{"torch.uint8", Meaning::kOpaque},
    Known{"torch.bool", Meaning::kOpaque},
};

/// Modules, with those in them, that no data needs: they run programs or code, or reach files and
/// the network.
constexpr std::string_view kReachingOut[] = {"os",
                                             "posix",
                                             "nt",
                                             "posixpath",
                                             "ntpath",
                                             "sys",
                                             "subprocess",
                                             "_posixsubprocess",
                                             "shutil",
                                             "runpy",
                                             "importlib",
                                             "imp",
                                             "pkgutil",
                                             "zipimport",
                                             "zipfile",
                                             "tarfile",
                                             "ctypes",
                                             "_ctypes",
                                             "cffi",
                                             "mmap",
                                             "code",
                                             "codeop",
                                             "timeit",
                                             "profile",
                                             "cProfile",
                                             "pdb",
                                             "bdb",
                                             "trace",
                                             "doctest",
                                             "pydoc",
                                             "webbrowser",
                                             "urllib",
                                             "http",
                                             "httplib",
                                             "xmlrpc",
                                             "ftplib",
                                             "smtplib",
                                             "telnetlib",
                                             "requests",
                                             "ssl",
                                             "socket",
                                             "socketserver",
                                             "asyncio",
                                             "multiprocessing",
                                             "threading",
                                             "_thread",
                                             "signal",
                                             "pty",
                                             "commands",
                                             "pickle",
                                             "_pickle",
                                             "cloudpickle",
                                             "dill",
                                             "joblib",
                                             "marshal",
                                             "shelve",
                                             "sqlite3",
                                             "logging",
                                             "functools",
                                             "operator",
                                             "inspect",
                                             "io",
                                             "_io",
                                             "tempfile",
                                             "atexit",
                                             "pip",
                                             "ensurepip",
                                             "setuptools",
                                             "distutils",
                                             "IPython",
                                             "torch.hub",
                                             "torch.jit",
                                             "torch.package",
                                             "torch.serialization",
                                             "torch.utils.cpp_extension",
                                             "torch.utils.collect_env"};

/// What Python itself has of that kind.
constexpr std::string_view kReachingOutOfBuiltins[] = {
    "eval",       "exec",    "execfile",  "compile", "open",       "file",
    "__import__", "getattr", "setattr",   "delattr", "globals",    "locals",
    "vars",       "input",   "raw_input", "apply",   "breakpoint", "reload"};

/// Modules of nothing but data: whose classes a Lightning checkpoint refers to in its callbacks and
/// hyper-parameters, and numpy's generators of random numbers.
constexpr std::string_view kOfData[] = {"pytorch_lightning.", "lightning.", "lightning_fabric.",
                                        "numpy.random.", "numpy.dtypes."};

std::optional<at::ScalarType> dtype_of_storage_class(std::string_view global) {
  if (!global.starts_with("torch.")) return std::nullopt;
  // There is one for each kind of device: "torch.FloatStorage", "torch.….FloatStorage".
  return storage_dtype(std::string(global.substr(global.rfind('.') + 1)));
}

/// `untyped` storages hold bytes.
bool is_untyped_storage(std::string_view global) {
  return global == "torch.storage.UntypedStorage" || global == "torch.UntypedStorage";
}

std::optional<Meaning> find_meaning(std::string_view global) {
  const auto known = std::find_if(kKnown.begin(), kKnown.end(),
                                  [global](const Known& each) { return each.name == global; });
  if (known != kKnown.end()) return known->meaning;
  if (dtype_of_storage_class(global) || is_untyped_storage(global)) return Meaning::kStorage;
  const bool is_of_data = std::ranges::any_of(
      kOfData, [global](std::string_view module) { return global.starts_with(module); });
  return is_of_data ? std::optional(Meaning::kOpaque) : std::nullopt;
}

bool reaches_out(std::string_view global) {
  constexpr std::string_view kBuiltins = "builtins.";
  if (global.starts_with(kBuiltins)) {
    return std::ranges::find(kReachingOutOfBuiltins, global.substr(kBuiltins.size())) !=
           std::end(kReachingOutOfBuiltins);
  }
  return std::ranges::any_of(kReachingOut, [global](std::string_view module) {
    return global.starts_with(module) && global.substr(module.size()).starts_with('.');
  });
}

/// Whether it is a class and no function, by the habit of Python's programs: an enum's or a dict's
/// of a training program, for example, which are pickled as calls.
bool is_class(std::string_view global) {
  const std::string_view name = global.substr(global.rfind('.') + 1);
  return !name.empty() && name.front() >= 'A' && name.front() <= 'Z';
}

/// Whether the global stands for a tensor that is not an ordinary one.
bool is_foreign_tensor(std::string_view name) {
  return name.starts_with("torch._utils._rebuild_") ||
         name.starts_with("torch._tensor._rebuild_") ||
         (name.starts_with("torch.") && name.ends_with("Storage"));
}

[[noreturn]] void refuse_global(const std::string& name) {
  if (is_foreign_tensor(name)) {
    throw DataError("it holds a tensor of a kind that is not supported here (" + in_quotes(name) +
                    "; complex, quantised, sparse, float8 and tensors of own classes are not); "
                    "convert it to an ordinary one with PyTorch and save it again");
  }
  throw DataError("it asks for " + in_quotes(name) +
                  ", which other programs would run on opening the file. Nothing was run here; do "
                  "not open it elsewhere, ask for a safetensors file instead");
}

[[noreturn]] void refuse_arguments(const std::string& name) {
  throw DataError(in_quotes(name) +
                  " is called with other arguments than torch.save writes: damaged");
}

std::vector<std::int64_t> integers(const PickleValue& value, const std::string& what) {
  if (value.list() == nullptr) {
    throw DataError("expected the " + what + " of a tensor, found " + value.description());
  }
  std::vector<std::int64_t> result;
  if (value.list()->size() > kMaxDimensions) {
    throw DataError("a tensor has " + std::to_string(value.list()->size()) + " " + what +
                    ": damaged");
  }
  for (const PickleValue& item : *value.list()) {
    if (item.integer() == nullptr) {
      throw DataError("expected whole numbers as the " + what + " of a tensor, found " +
                      item.description());
    }
    result.push_back(*item.integer());
  }
  return result;
}

/// storage, offset, sizes, strides, requires_grad, hooks[, metadata]
PickleValue rebuild_tensor(const std::string& name, const PickleValue::List& arguments,
                           std::uint64_t& expanded_bytes) {
  constexpr std::size_t kOrdinary = 6;
  if (arguments.size() < kOrdinary || arguments.size() > kOrdinary + 1) refuse_arguments(name);
  const at::Tensor* storage = arguments[0].tensor();
  if (storage == nullptr || arguments[1].integer() == nullptr) refuse_arguments(name);
  const auto sizes = integers(arguments[2], "sizes");
  const auto strides = integers(arguments[3], "strides");
  // Flags such as "conj" or "neg" that change what the stored numbers mean.
  const PickleValue::Dict* flags = arguments.size() > kOrdinary ? arguments[6].dict() : nullptr;
  if (flags != nullptr && !flags->empty()) {
    throw DataError(
        "it holds a lazily negated or conjugated tensor, which is not supported; save "
        "it again after .resolve_neg() or .resolve_conj()");
  }
  if (!storage->defined()) return PickleValue::make_tensor({});
  if (storage->dim() != 1 || !storage->is_contiguous()) refuse_arguments(name);
  at::Tensor view = storage_view(*storage, *arguments[1].integer(), sizes, strides);
  // Strides of 0, as expand() makes them, could turn one value into terabytes at the next copy.
  const auto values = static_cast<std::uint64_t>(view.numel());
  if (view.numel() > storage->numel()) {
    expanded_bytes += std::min(values, kMaxExpandedBytes) * view.element_size();
    if (expanded_bytes > kMaxExpandedBytes) {
      throw DataError("tensors of " + std::to_string(values) +
                      " values are expanded from few, beyond the " +
                      std::to_string(kMaxExpandedBytes) +
                      " bytes that are accepted; save them again after .contiguous()");
    }
  }
  return PickleValue::make_tensor(std::move(view));
}

/// `dict(…)`: of another dict, or of a list of pairs, as Python 2 writes an OrderedDict.
PickleValue make_dict(const std::string& name, const PickleValue& content) {
  if (content.dict() != nullptr) return content;
  if (content.list() == nullptr) refuse_arguments(name);
  PickleValue dict = PickleValue::make_dict();
  for (const PickleValue& pair : *content.list()) {
    if (pair.list() == nullptr || pair.list()->size() != 2) refuse_arguments(name);
    dict.insert(pair.list()->front(), pair.list()->back());
  }
  return dict;
}

}  // namespace

std::string TorchObjects::global(const std::string& module, const std::string& name) {
  std::string full = module + "." + name;
  // What Python 2 and numpy 2 call the same things.
  for (const auto& [old_name, new_name] :
       {std::pair<std::string_view, std::string_view>{"__builtin__.long", "builtins.int"},
        {"__builtin__.xrange", "builtins.range"},
        {"__builtin__.unicode", "builtins.str"},
        {"__builtin__.", "builtins."},
        {"numpy._core.", "numpy.core."},
        {"copy_reg.", "copyreg."}}) {
    if (full.starts_with(old_name)) full.replace(0, old_name.size(), new_name);
  }
  if (!find_meaning(full) && (reaches_out(full) || is_foreign_tensor(full))) refuse_global(full);
  return full;
}

PickleValue TorchObjects::call(const std::string& global, const PickleValue::List& arguments) {
  const auto meaning = find_meaning(global);
  if (!meaning && is_class(global)) return PickleValue::make_opaque(global);
  if (!meaning) refuse_global(global);
  switch (*meaning) {
    case Meaning::kTensor:
      return rebuild_tensor(global, arguments, expanded_bytes_);
    case Meaning::kParameter:
      if (arguments.empty() || arguments[0].tensor() == nullptr) refuse_arguments(global);
      return arguments[0];
    case Meaning::kDict:
      if (arguments.empty()) return PickleValue::make_dict();
      if (arguments.size() > 1) refuse_arguments(global);
      return make_dict(global, arguments[0]);
    case Meaning::kDefaultDict:  // its items come later; what makes a missing one is not needed
      return PickleValue::make_dict();
    case Meaning::kList:
      if (arguments.empty()) return PickleValue::make_list();
      if (arguments[0].list() == nullptr) refuse_arguments(global);
      if (arguments[0].list()->empty()) return PickleValue::make_list();
      return arguments[0];
    case Meaning::kArray:
      return PickleValue::make_opaque("numpy.ndarray");
    case Meaning::kStorage:
      refuse_arguments(global);
    case Meaning::kOpaque:
      break;
  }
  return PickleValue::make_opaque(global);
}

PickleValue TorchObjects::create(const std::string& global, const PickleValue::List& arguments) {
  return find_meaning(global) ? call(global, arguments) : PickleValue::make_opaque(global);
}

void TorchObjects::set_state(PickleValue& object, const PickleValue& state) {
  // The content of a ParameterDict is one of its attributes. Other attributes are no data: those of
  // an OrderedDict (`_metadata` of a state_dict) and of opaque objects.
  if (object.opaque() == nullptr || *object.opaque() != kParameterDict) return;
  constexpr std::size_t kMaxAttributes = 1000;
  const PickleValue* parameters = state.dict() != nullptr && state.dict()->size() <= kMaxAttributes
                                      ? state.find("_parameters")
                                      : nullptr;
  if (parameters == nullptr || parameters->dict() == nullptr) {
    throw DataError("expected the attributes of a ParameterDict, found " + state.description());
  }
  object = *parameters;
}

PickleValue TorchObjects::persistent(const PickleValue& id) {
  // "storage", class, key, device, number of values[, None]; the last one, in files older than
  // torch 1.6, is for storages that are part of another one, which torch has not written for years.
  constexpr std::size_t kOrdinary = 5;
  const PickleValue::List* parts = id.list();
  const bool sound = parts != nullptr && parts->size() >= kOrdinary && parts->size() <= 6 &&
                     (*parts)[0].text() != nullptr && *(*parts)[0].text() == "storage" &&
                     (*parts)[1].opaque() != nullptr && (*parts)[2].text() != nullptr &&
                     (*parts)[4].integer() != nullptr && (*parts)[4].integer()[0] >= 0 &&
                     (parts->size() == kOrdinary || (*parts)[5].is_none());
  if (!sound) {
    throw DataError("it refers to something that is not an ordinary storage of torch.save (" +
                    id.description() + "); save the state_dict of the model instead of the model");
  }
  const std::string& storage_class = *(*parts)[1].opaque();
  const auto dtype = is_untyped_storage(storage_class) ? std::optional(at::kByte)
                                                       : dtype_of_storage_class(storage_class);
  if (!dtype) throw DataError(in_quotes(storage_class) + " is not a class of storages: damaged");
  TorchStorage storage{*(*parts)[2].text(), *dtype,
                       static_cast<std::uint64_t>(*(*parts)[4].integer())};
  if (__builtin_mul_overflow(storage.bytes, c10::elementSize(*dtype), &storage.bytes)) {
    throw DataError("storage " + in_quotes(storage.key) + " claims an impossible size: damaged");
  }
  return PickleValue::make_tensor(find_storage_(storage));
}

}  // namespace sdx
