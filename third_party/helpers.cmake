# What the files beside this one share, here and in the installed package: the versions of versions.env, and
# how to say that something is missing.

file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/versions.env" sdx_version_lines REGEX "^SDX_[A-Z0-9_]+=")
foreach(line IN LISTS sdx_version_lines)
  string(REGEX MATCH "^([A-Z0-9_]+)=(.*)$" _ "${line}")
  set(${CMAKE_MATCH_1} "${CMAKE_MATCH_2}")
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
                                       "${CMAKE_CURRENT_LIST_DIR}/versions.env")

# One way to say that something is missing: what, where it was looked for, what to do.
function(sdx_missing what)
  message(FATAL_ERROR "${what}. Run scripts/setup.sh, which installs what the build needs.")
endfunction()

# The first match of a regular expression's group 1 in a file, for version numbers in headers.
function(sdx_read_version variable file regex)
  set(${variable} "" PARENT_SCOPE)
  if(EXISTS "${file}")
    file(STRINGS "${file}" lines REGEX "${regex}")
    if(lines MATCHES "${regex}")
      set(${variable} "${CMAKE_MATCH_1}" PARENT_SCOPE)
    endif()
  endif()
endfunction()

# An interface target under sdx's own name for found ones. Headers of imported targets are system
# headers: our warnings do not apply to them.
function(sdx_system_target name alias)
  add_library(${name} INTERFACE)
  add_library(${alias} ALIAS ${name})
  target_link_libraries(${name} INTERFACE ${ARGN})
endfunction()
