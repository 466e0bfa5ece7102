#include "sdx/util/error.h"

#include <cerrno>
#include <system_error>

#include "sdx/util/utf8.h"

namespace sdx {

SettingError::SettingError(const std::string& field, const std::string& expected,
                           std::string_view found)
    : UsageError("`" + field + "`: expected " + expected + ", found " + quote_text(found)),
      field_(field) {}

void throw_errno(int error_number, const std::string& action, const std::string& path) {
  const std::string message =
      "cannot " + action + " " + path + ": " + std::generic_category().message(error_number);
  switch (error_number) {
    case ENOENT:
      throw MissingInputError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      throw PermissionError(message);
    case ENOMEM:
      throw TryAgainError(message);
    default:
      throw IoError(message);
  }
}

}  // namespace sdx
