# tw_link_faults(TARGET): its calls of what fuzz/faults.h lists go through fuzz/faults.c.
file(READ ${PROJECT_SOURCE_DIR}/fuzz/faults.h TW_FAULTS)
string(REGEX MATCHALL "\n    X\\([a-z0-9_]+" TW_FAULTS "${TW_FAULTS}")
list(TRANSFORM TW_FAULTS REPLACE "\n    X\\(" "")

function(tw_link_faults target)
  tw_share(${target} ${PROJECT_SOURCE_DIR}/fuzz/faults.c)
  foreach(f ${TW_FAULTS} free munmap)
    target_link_options(${target} PRIVATE -Wl,--wrap=${f})
  endforeach()
endfunction()
