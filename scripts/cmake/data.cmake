# What the programs read lies in <folder of the program>/../share/sdx, in the build tree (links and
# the bundle of the built-in model, which the build makes) and installed (copies).

set(sdx_share "${PROJECT_BINARY_DIR}/share/sdx")
file(MAKE_DIRECTORY "${sdx_share}/models")

file(GLOB sdx_config_folders CONFIGURE_DEPENDS LIST_DIRECTORIES true "${PROJECT_SOURCE_DIR}/configs/*")
foreach(folder IN LISTS sdx_config_folders)
  get_filename_component(name "${folder}" NAME)
  # The built-in model's weights are what the bundle is made from; only the bundle is needed.
  if(NOT IS_DIRECTORY "${folder}" OR name STREQUAL "models")
    continue()
  endif()
  file(CREATE_LINK "${folder}" "${sdx_share}/${name}" SYMBOLIC)
  install(DIRECTORY "${folder}" DESTINATION "${CMAKE_INSTALL_DATADIR}/sdx")
endforeach()

set(sdx_haar "${SDX_HAAR_DIR}/haarcascade_frontalface_default.xml")
file(MAKE_DIRECTORY "${sdx_share}/haarcascades")
file(CREATE_LINK "${sdx_haar}" "${sdx_share}/haarcascades/haarcascade_frontalface_default.xml" SYMBOLIC)
install(FILES "${sdx_haar}" DESTINATION "${CMAKE_INSTALL_DATADIR}/sdx/haarcascades")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" OPTIONAL)

# Upscalers are found by name among the models.
file(GLOB sdx_upscalers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/configs/models/*.safetensors")
foreach(file IN LISTS sdx_upscalers)
  get_filename_component(name "${file}" NAME)
  file(CREATE_LINK "${file}" "${sdx_share}/models/${name}" SYMBOLIC)
  install(FILES "${file}" DESTINATION "${CMAKE_INSTALL_DATADIR}/sdx/models")
endforeach()

# The globs run again at every build, so the bundle appears with its weights.
set(sdx_mini "${PROJECT_SOURCE_DIR}/configs/models/mini")
file(GLOB_RECURSE sdx_mini_files CONFIGURE_DEPENDS "${sdx_mini}/*")
if(TARGET sdx-model AND "${sdx_mini}/model_index.json" IN_LIST sdx_mini_files)
  set(sdx_mini_bundle "${sdx_share}/models/mini/bundle.json")
  add_custom_command(
    OUTPUT "${sdx_mini_bundle}"
    COMMAND sdx-model import "${sdx_mini}" --name mini --models-dir "${sdx_share}/models" --force
    # Its time stamp must be newer than its inputs', whatever the importer writes last.
    COMMAND "${CMAKE_COMMAND}" -E touch_nocreate "${sdx_mini_bundle}"
    DEPENDS sdx-model sdx_tools ${sdx_mini_files}
    COMMENT "Making the bundle of the built-in model"
    VERBATIM)
  add_custom_target(sdx_mini_bundle ALL DEPENDS "${sdx_mini_bundle}")
  install(DIRECTORY "${sdx_share}/models/mini" DESTINATION "${CMAKE_INSTALL_DATADIR}/sdx/models")
endif()
