# The programs, their library and the answers that they know by heart (docs/adr/0012-launcher.md).

# All tools in one shared library, which the programs load when there is something to do. Its place
# beside them is the same in the build tree and installed.
add_library(sdx_tools SHARED "${PROJECT_SOURCE_DIR}/tools/launcher/entry.cpp")
target_link_libraries(sdx_tools PRIVATE sdx sdx_warnings)
set_target_properties(sdx_tools PROPERTIES OUTPUT_NAME sdx-tools LIBRARY_OUTPUT_DIRECTORY
                                                                 "${PROJECT_BINARY_DIR}/lib/sdx")
install(TARGETS sdx_tools LIBRARY DESTINATION lib/sdx)

# What --help and --version say, asked of the tools themselves at every build; so are the manual
# pages and the completions of shells, which lie where they are installed.
set(sdx_answers "${PROJECT_BINARY_DIR}/generated/answers.cpp")
set(sdx_texts "${PROJECT_BINARY_DIR}/share")
add_executable(sdx-write-answers "${PROJECT_SOURCE_DIR}/tools/launcher/write_answers.cpp")
target_link_libraries(sdx-write-answers PRIVATE sdx sdx_warnings)
set_target_properties(sdx-write-answers PROPERTIES RUNTIME_OUTPUT_DIRECTORY
                                                   "${PROJECT_BINARY_DIR}/generated")
add_custom_command(
  OUTPUT "${sdx_answers}"
  COMMAND sdx-write-answers "${sdx_answers}" "${sdx_texts}"
  DEPENDS sdx-write-answers
  COMMENT "Asking the tools for their help"
  VERBATIM)

add_library(sdx_launcher STATIC "${PROJECT_SOURCE_DIR}/tools/launcher/launch.cpp" "${sdx_answers}")
target_include_directories(sdx_launcher PUBLIC "${PROJECT_SOURCE_DIR}/tools"
                                               "${PROJECT_SOURCE_DIR}/include")
target_link_libraries(sdx_launcher PRIVATE sdx_warnings ${CMAKE_DL_LIBS})

file(GLOB sdx_tools CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tools/*.cpp")
foreach(source IN LISTS sdx_tools)
  get_filename_component(tool "${source}" NAME_WE)
  add_executable(${tool} "${source}")
  target_link_libraries(${tool} PRIVATE sdx_launcher sdx_warnings)
  # For libraries that lie beside theirs (scripts/release.sh) and know of no path. The old tag, since
  # the new one would hold for the program's own libraries only, not for those that they need.
  set_target_properties(${tool} PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/sdx")
  target_link_options(${tool} PRIVATE "-Wl,--disable-new-dtags")
  add_dependencies(${tool} sdx_tools)
  if(NOT tool STREQUAL "sdx-bench")  # measures the build that it lies in
    install(TARGETS ${tool} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  endif()
endforeach()

# sdx-bench stays in the build tree, and so do its pages.
foreach(folder IN ITEMS man/man1 bash-completion/completions zsh/site-functions
                        fish/vendor_completions.d)
  install(DIRECTORY "${sdx_texts}/${folder}/" DESTINATION "${CMAKE_INSTALL_DATADIR}/${folder}"
          PATTERN "*sdx-bench*" EXCLUDE)
endforeach()
