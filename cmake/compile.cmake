# Warnings, hardening and sanitizers, and the two helpers every layer uses.

include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

add_library(tw_flags INTERFACE)
target_compile_definitions(tw_flags INTERFACE _GNU_SOURCE)
if(CMAKE_SIZEOF_VOID_P EQUAL 4) # elsewhere it changes nothing, but hides fstat from MSan
  target_compile_definitions(tw_flags INTERFACE _FILE_OFFSET_BITS=64)
endif()
target_compile_options(tw_flags INTERFACE
  -Wall -Wextra $<$<BOOL:${TW_WERROR}>:-Werror>
  -Wconversion -Wsign-conversion -Wtype-limits # a length that changes its value is a bug
  -Wshadow -Wundef -Wvla -Wpointer-arith -Wcast-qual -Wwrite-strings
  -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
  -Wformat=2 -Wimplicit-fallthrough -Wdate-time
  -fno-semantic-interposition # what is exported is called by its own library directly
  -fno-common -fstack-protector-strong -fcf-protection=full)
# Debian's start files are built without CET. They return as they were called, so the shadow stack
# may be promised for the whole program; indirect branch tracking may not, only our part has it.
target_link_options(tw_flags INTERFACE
  -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,shstk -Wl,-z,ibtplt -Wl,--as-needed)

# What our dependencies get as well when they are built here (cmake/dependencies.cmake).
add_library(tw_instrument INTERFACE)
target_link_libraries(tw_flags INTERFACE tw_instrument)
if(TW_SANITIZE)
  target_compile_options(tw_instrument INTERFACE -fsanitize=${TW_SANITIZE} -fno-omit-frame-pointer)
  target_compile_options(tw_flags INTERFACE -fno-sanitize-recover=all)
  target_link_options(tw_instrument INTERFACE -fsanitize=${TW_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  # glibc wants optimisation for it, and the sanitizers bring their own checks.
  target_compile_definitions(tw_flags INTERFACE _FORTIFY_SOURCE=3)
  # What nobody calls is left out.
  target_compile_options(tw_flags INTERFACE -ffunction-sections -fdata-sections)
  target_link_options(tw_flags INTERFACE -Wl,--gc-sections)
endif()
if(TW_SANITIZE STREQUAL "memory") # where a byte came from that nobody wrote
  target_compile_options(tw_instrument INTERFACE -fsanitize-memory-track-origins)
endif()
if(TW_FUZZ AND TW_SANITIZE AND NOT CMAKE_C_COMPILER MATCHES afl) # else the caller's flags do it
  # Telling libFuzzer of each comparison took 40 % of a run of the service. Our mutator knows the
  # schema, and comparisons of memory and strings are told anyhow.
  target_compile_options(tw_instrument INTERFACE -fsanitize=fuzzer-no-link
    -fno-sanitize-coverage=trace-cmp)
endif()
if(TW_FUZZ AND CMAKE_C_COMPILER MATCHES afl)
  # AFL++ 4.04's own pass reads behind the end of its table for functions in which a choice has no
  # branch. Clang's pass is as fast here.
  set_property(GLOBAL PROPERTY RULE_LAUNCH_COMPILE
    "${CMAKE_COMMAND} -E env AFL_LLVM_INSTRUMENT=LLVM-NATIVE")
endif()
if(TW_COVERAGE)
  target_compile_definitions(tw_flags INTERFACE TW_COVERAGE)
  target_compile_options(tw_flags INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(tw_flags INTERFACE -fprofile-instr-generate)
endif()

# tw_layer(NAME SOURCES... [DEPENDS LIBS...]): one layer of src/ as the static library tw_NAME.
function(tw_layer name)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  add_library(tw_${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_include_directories(tw_${name} PUBLIC
    ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(tw_${name} PRIVATE tw_flags PUBLIC ${ARG_DEPENDS})
  target_compile_definitions(tw_${name} PUBLIC _GNU_SOURCE)
endfunction()

# tw_share(TARGET FILE LIBS...): links a file that several programs have in common, compiled once for
# all of them, with the libraries of the first.
function(tw_share target file)
  get_filename_component(path ${file} ABSOLUTE)
  file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR} ${path})
  string(MAKE_C_IDENTIFIER shared_${name} name)
  if(NOT TARGET ${name})
    add_library(${name} OBJECT EXCLUDE_FROM_ALL ${path})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${name} PRIVATE tw_flags tw_base ${ARGN})
  endif()
  target_link_libraries(${target} PRIVATE ${name})
endfunction()
