# sdx::sentencepiece: built statically by scripts/setup.sh, with hidden symbols.
#
# The system's shared library is refused on purpose: it exports its own protobuf, which clashes with
# the one that OpenCV's dnn module uses (crash before main), and a flag of the same name as one of
# libtorch's (the first TorchScript call never returns).

set(sdx_sentencepiece_library "${SDX_SENTENCEPIECE}/lib/libsentencepiece.a")
if(NOT EXISTS "${sdx_sentencepiece_library}")
  sdx_missing("sentencepiece ${SDX_SENTENCEPIECE_VERSION} is not in '${SDX_SENTENCEPIECE}'")
endif()

add_library(sdx_sentencepiece STATIC IMPORTED GLOBAL)
add_library(sdx::sentencepiece ALIAS sdx_sentencepiece)
set_target_properties(
  sdx_sentencepiece
  PROPERTIES IMPORTED_LOCATION "${sdx_sentencepiece_library}"
             INTERFACE_INCLUDE_DIRECTORIES "${SDX_SENTENCEPIECE}/include"
             INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${SDX_SENTENCEPIECE}/include")
find_package(Threads REQUIRED)
# Belt and braces: programs export none of the library's symbols, even if another library asks.
target_link_libraries(sdx_sentencepiece INTERFACE Threads::Threads
                                                  "-Wl,--exclude-libs,libsentencepiece.a")
message(STATUS "sentencepiece ${SDX_SENTENCEPIECE_VERSION}: ${SDX_SENTENCEPIECE}")
