// A file of torch.save: the zip archive, the container before it, or, behind the letter P, a pickle
// that this target puts into an archive, whose checksums are right.

#include <ATen/ops/sum.h>

#include <string>

#include "fuzz/target.h"
#include "sdx/tensor/torch_file.h"
#include "tensor/zip_writer.h"

using namespace sdx;

namespace {

/// Looks at everything that was read.
void walk(const PickleValue& value) {
  (void)value.description();
  if (const at::Tensor* tensor = value.tensor(); tensor != nullptr && tensor->numel() > 0) {
    tensor->sum().item();
  }
  // What is shared within a value is looked at through its first place only: a small file can refer
  // to one list twice at each of its hundred levels.
  if (const auto* list = value.list(); list != nullptr && !list->empty()) walk(list->front());
  if (const auto* dict = value.dict(); dict != nullptr && !dict->empty()) {
    walk(dict->front().first);
    walk(dict->back().second);
  }
}

std::string pack(std::string_view pickle) {
  const std::string storage(64, '\x3f');
  return zip_archive({{"archive/data.pkl", std::string(pickle)},
                      {"archive/version", "3\n"},
                      {"archive/data/0", storage},
                      {"archive/data/1", storage}});
}

void read(std::string_view file, TorchChecks checks) {
  const PickleValue value = read_torch_file(fuzz::make_file("a.ckpt", file), checks);
  walk(value);
  if (value.dict() != nullptr) list_tensors(&value, "the file");
}

}  // namespace

SDX_FUZZ_TARGET(torch) {
  if (bytes.starts_with('P') && !bytes.starts_with("PK")) {
    read(pack(bytes.substr(1)), TorchChecks::kAll);
  } else {
    read(bytes, TorchChecks::kPickleOnly);
  }
}
