# sdx: the library, made of modules. Each module is a target of its own that sees its own headers and
# those of the modules that it uses, no others: the compiler holds the order that docs/architecture.md
# shows. Its private headers (src/<module>/) nobody else sees.

include(pch)

# The precompiled headers that all share. CMake generates targets by name, and this one must come
# first: "-" comes before "_".
file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/generated/common.cpp" CONTENT "#include <ATen/ATen.h>\n")
add_library(sdx-common OBJECT "${PROJECT_BINARY_DIR}/generated/common.cpp")
target_link_libraries(sdx-common PUBLIC sdx_version sdx::torch sdx::json sdx::opencv sdx::spdlog)
target_link_libraries(sdx-common PRIVATE sdx_warnings)
sdx_precompile(sdx-common)

# sdx_add_module(NAME [USES module…] [LIBRARIES library…])
function(sdx_add_module name)
  cmake_parse_arguments(arg "" "" "USES;LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${name}/*.cpp")
  add_library(sdx_${name} OBJECT ${sources})

  # Folders with nothing but a link to the module's headers, which are included as "sdx/<module>/…"
  # and, the private ones, as "<module>/…".
  set(public "${PROJECT_BINARY_DIR}/modules/${name}/public")
  set(private "${PROJECT_BINARY_DIR}/modules/${name}/private")
  file(MAKE_DIRECTORY "${public}/sdx" "${private}")
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/include/sdx/${name}" "${public}/sdx/${name}" SYMBOLIC)
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/src/${name}" "${private}/${name}" SYMBOLIC)
  target_include_directories(sdx_${name} PUBLIC "${public}" PRIVATE "${private}")

  target_link_libraries(sdx_${name} PUBLIC sdx-common)
  target_link_libraries(sdx_${name} PRIVATE sdx_warnings ${arg_LIBRARIES})
  foreach(used IN LISTS arg_USES)
    target_link_libraries(sdx_${name} PUBLIC sdx_${used})
  endforeach()
  sdx_precompile(sdx_${name} REUSE_FROM sdx-common)
  set_property(GLOBAL APPEND PROPERTY sdx_modules "${name}")
endfunction()

# at::RecordFunction has a member more without NDEBUG; libtorch was built with it.
set_source_files_properties(
  src/tensor/flop_meter.cpp PROPERTIES COMPILE_DEFINITIONS NDEBUG SKIP_PRECOMPILE_HEADERS ON)

# From the bottom up: a module uses only modules above its line.
sdx_add_module(util LIBRARIES sdx::openssl sdx::utf8proc)
sdx_add_module(device USES util)
sdx_add_module(tensor USES util)
sdx_add_module(tokenizer USES util LIBRARIES sdx::sentencepiece sdx::utf8proc)
sdx_add_module(image USES util LIBRARIES sdx::png sdx::jpeg sdx::webp sdx::exif sdx::lcms sdx::gif
               sdx::loaded sdx::dlib)
sdx_add_module(scheduler USES util)
sdx_add_module(model USES device tensor tokenizer image scheduler)
sdx_add_module(embedding USES tensor tokenizer image)
sdx_add_module(prompt USES model embedding)
sdx_add_module(dataset USES model prompt)
sdx_add_module(generation USES model prompt)
sdx_add_module(training USES dataset generation)
sdx_add_module(roster USES training)
sdx_add_module(cli USES roster LIBRARIES sdx::cli11)

get_property(sdx_modules GLOBAL PROPERTY sdx_modules)
set(sdx_objects "")
foreach(module IN LISTS sdx_modules)
  list(APPEND sdx_objects "$<TARGET_OBJECTS:sdx_${module}>")
endforeach()
add_library(sdx STATIC ${sdx_objects})
target_include_directories(sdx PUBLIC "${PROJECT_SOURCE_DIR}/include")
target_link_libraries(
  sdx
  PUBLIC sdx_version sdx::torch sdx::json sdx::opencv sdx::spdlog sdx::cli11
  PRIVATE sdx::sentencepiece sdx::utf8proc sdx::png sdx::jpeg sdx::webp sdx::exif sdx::lcms sdx::gif
          sdx::loaded sdx::openssl sdx::dlib)
