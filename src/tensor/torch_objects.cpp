#include "tensor/torch_objects.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "sdx/util/error.h"
#include "sdx/util/text.h"

namespace sdx {

namespace {

enum class Meaning { kTensor, kParameter, kDict, kList, kStorage, kOpaque };

struct Known {
  std::string_view name;
  Meaning meaning;
};

constexpr std::string_view kParameterDict = "torch.nn.modules.container.ParameterDict";

constexpr std::array kKnown = {
    Known{"torch._utils._rebuild_tensor_v2", Meaning::kTensor},
    Known{"torch._utils._rebuild_parameter", Meaning::kParameter},
    Known{"torch._utils._rebuild_parameter_with_state", Meaning::kParameter},
    Known{"collections.OrderedDict", Meaning::kDict},
    Known{"collections.Counter", Meaning::kDict},
    Known{kParameterDict, Meaning::kOpaque},
    Known{"torch.Size", Meaning::kList},
    Known{"builtins.set", Meaning::kList},
    Known{"builtins.frozenset", Meaning::kList},
    Known{"builtins.bytes", Meaning::kOpaque},
    Known{"_codecs.encode", Meaning::kOpaque},  // bytes, in protocol 2
    Known{"numpy.core.multiarray.scalar", Meaning::kOpaque},
    Known{"numpy.dtype", Meaning::kOpaque},
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

/// Whose classes a Lightning checkpoint refers to in its callbacks and hyper-parameters.
constexpr std::array<std::string_view, 3> kLightning = {"pytorch_lightning.", "lightning.",
                                                        "lightning_fabric."};

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
  const bool lightning =
      std::any_of(kLightning.begin(), kLightning.end(),
                  [global](std::string_view module) { return global.starts_with(module); });
  return lightning ? std::optional(Meaning::kOpaque) : std::nullopt;
}

[[noreturn]] void refuse_global(const std::string& name) {
  if (name.starts_with("torch._utils._rebuild_") || name.starts_with("torch._tensor._rebuild_") ||
      (name.starts_with("torch.") && name.ends_with("Storage"))) {
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
PickleValue rebuild_tensor(const std::string& name, const PickleValue::List& arguments) {
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
  return PickleValue::make_tensor(storage_view(*storage, *arguments[1].integer(), sizes, strides));
}

}  // namespace

std::string TorchObjects::global(const std::string& module, const std::string& name) {
  std::string full = module + "." + name;
  // What Python 2 and numpy 2 call the same things.
  for (const auto& [old_name, new_name] :
       {std::pair<std::string_view, std::string_view>{"__builtin__.", "builtins."},
        {"numpy._core.", "numpy.core."}}) {
    if (full.starts_with(old_name)) full.replace(0, old_name.size(), new_name);
  }
  if (!find_meaning(full)) refuse_global(full);
  return full;
}

PickleValue TorchObjects::call(const std::string& global, const PickleValue::List& arguments) {
  switch (find_meaning(global).value_or(Meaning::kOpaque)) {
    case Meaning::kTensor:
      return rebuild_tensor(global, arguments);
    case Meaning::kParameter:
      if (arguments.empty() || arguments[0].tensor() == nullptr) refuse_arguments(global);
      return arguments[0];
    case Meaning::kDict:
      if (arguments.empty()) return PickleValue::make_dict();
      if (arguments.size() > 1 || arguments[0].dict() == nullptr) refuse_arguments(global);
      return arguments[0];
    case Meaning::kList:
      if (arguments.empty()) return PickleValue::make_tuple({});
      if (arguments.size() > 1 || arguments[0].list() == nullptr) refuse_arguments(global);
      return arguments[0];
    case Meaning::kStorage:
      refuse_arguments(global);
    case Meaning::kOpaque:
      break;
  }
  return PickleValue::make_opaque(global);
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
