#include "image/system_library.h"

#include <dlfcn.h>

#include "sdx/util/error.h"

namespace sdx {

SystemLibrary::SystemLibrary(const char* file, const char* name, const char* packages)
    : handle_(dlopen(file, RTLD_NOW | RTLD_LOCAL)), name_(name), packages_(packages) {
  if (handle_ == nullptr) failure_ = dlerror();
}

void* SystemLibrary::find_address(const char* symbol) {
  if (handle_ == nullptr) return nullptr;
  void* const address = dlsym(handle_, symbol);
  if (address == nullptr && failure_.empty()) failure_ = dlerror();
  return address;
}

void SystemLibrary::require(const char* what) const {
  if (failure_.empty()) return;
  throw DataError(std::string(what) + ", which " + name_ +
                  " reads, and that cannot be loaded here (" + failure_ + "); install " +
                  packages_ + ", or save the picture as JPEG");
}

}  // namespace sdx
