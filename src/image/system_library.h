#pragma once

#include <string>

namespace sdx {

/// A library that is used where a system has it. It is loaded when it is first needed, and is no
/// part of a release: libheif and libtiff bring others with them that are under the GPL, and a
/// program that reads JPEG should not need them to start.
class SystemLibrary {
 public:
  /// @param file     its name with its version, as programs are linked with it: "libtiff.so.6"
  /// @param name     how a message calls it: "libtiff"
  /// @param packages what installs it: "libtiff6"
  SystemLibrary(const char* file, const char* name, const char* packages);

  /// Points `function` to the library's function of this name. Types come from the library's
  /// header.
  template <typename Function>
  void find(Function*& function, const char* symbol) {
    function = reinterpret_cast<Function*>(find_address(symbol));
  }

  /// @throws DataError if the library or one of the functions that were looked for is missing. The
  ///         message says which package has it.
  /// @param what the file: "a TIFF"
  void require(const char* what) const;

 private:
  void* find_address(const char* symbol);

  void* handle_ = nullptr;  ///< never closed: its functions are called until the end
  std::string name_;
  std::string packages_;
  std::string failure_;
};

}  // namespace sdx
