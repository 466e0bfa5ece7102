# Run by CPack when everything is installed into the folder that becomes the package: what Debian's
# rules ask for besides.

include("${CPACK_SDX_FOUND}")
file(GLOB_RECURSE trees LIST_DIRECTORIES true "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*")
set(usr "")
foreach(tree IN LISTS trees)
  if(tree MATCHES "/usr$")
    set(usr "${tree}")
    break()
  endif()
endforeach()
if(NOT usr)
  message(FATAL_ERROR "nothing was installed into /usr in ${CPACK_TEMPORARY_INSTALL_DIRECTORY}")
endif()

# Debian's zsh looks for the completions of packages elsewhere.
file(RENAME "${usr}/share/zsh/site-functions" "${usr}/share/zsh/vendor-completions")

file(GLOB libraries "${usr}/lib/sdx/torch/lib/*.so*")
file(GLOB pages "${usr}/share/man/man1/*.1")
execute_process(COMMAND chmod 644 ${libraries} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND strip --strip-unneeded ${libraries} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND gzip -9n ${pages} COMMAND_ERROR_IS_FATAL ANY)

execute_process(
  COMMAND python3 "${SDX_SOURCE}/scripts/release/contents.py" "${usr}" --source "${SDX_SOURCE}" --libtorch
          "${SDX_LIBTORCH}" --sentencepiece "${SDX_SENTENCEPIECE}" --version "${CPACK_PACKAGE_VERSION}"
          COMMAND_ERROR_IS_FATAL ANY)
set(doc "${usr}/share/doc/sdx")
file(READ "${doc}/LICENSE" licence)
file(WRITE "${doc}/copyright"
     "${licence}\nLicences of the libraries inside (libtorch, sentencepiece and others) are in "
     "/usr/share/doc/sdx/third-party.\n")
file(REMOVE "${doc}/LICENSE")
file(COPY_FILE "${SDX_SOURCE}/CHANGELOG.md" "${doc}/CHANGELOG.md")
# The package's own, in Debian's form.
string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)  # of SOURCE_DATE_EPOCH, if set
file(WRITE "${doc}/changelog"
     "sdx (${CPACK_DEBIAN_PACKAGE_VERSION}) unstable; urgency=medium\n\n"
     "  * See CHANGELOG.md.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${now}\n")
execute_process(COMMAND gzip -9n "${doc}/changelog" COMMAND_ERROR_IS_FATAL ANY)
# libtorch's makers link this one with nothing but the library that it stands for.
file(WRITE "${usr}/share/lintian/overrides/sdx"
     "sdx: library-not-linked-against-libc [usr/lib/sdx/torch/lib/libtorch.so]\n")
execute_process(COMMAND chmod -R u=rwX,go=rX "${usr}" COMMAND_ERROR_IS_FATAL ANY)
