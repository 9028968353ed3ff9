# The libraries we use: tw_package(NAME module) finds one with pkg-config as PkgConfig::NAME.
#
# With TW_BUILD_DEPENDENCIES they come from Debian's source packages instead and are built like the
# rest of this build: with its sanitizers, MSan above all, which must see every store, and for 32
# bits without a second architecture on the machine.

find_package(PkgConfig REQUIRED)

macro(tw_package name module)
  if(NOT TARGET PkgConfig::${name})
    pkg_check_modules(${name} REQUIRED IMPORTED_TARGET GLOBAL ${module})
  endif()
endmacro()

# Not our code: neither our warnings, nor UBSan (protobuf-c 1.4 adds 0 to NULL). The flags come from
# a library, as only so they come after those of tw_instrument.
add_library(tw_third_flags INTERFACE)
target_compile_options(tw_third_flags INTERFACE -w -fno-sanitize=undefined)

function(tw_build_dependency name folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;INCLUDE;DEFINE" ${ARGN})
  list(TRANSFORM ARG_SOURCES PREPEND ${TW_DEBIAN_SOURCES}/${folder}/)
  list(TRANSFORM ARG_INCLUDE PREPEND ${TW_DEBIAN_SOURCES}/${folder}/)
  file(GLOB sources CONFIGURE_DEPENDS ${ARG_SOURCES})
  string(TOLOWER tw_third_${name} target)
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} SYSTEM PUBLIC ${ARG_INCLUDE} PRIVATE ${TW_NO_CONFIG})
  target_compile_definitions(${target} PRIVATE ${ARG_DEFINE})
  target_link_libraries(${target} PRIVATE tw_instrument tw_third_flags)
  add_library(PkgConfig::${name} ALIAS ${target})
endfunction()

if(TW_BUILD_DEPENDENCIES)
  set(TW_DEBIAN_SOURCES ${PROJECT_SOURCE_DIR}/build/debian-source)
  execute_process(
    COMMAND ${PROJECT_SOURCE_DIR}/scripts/lib/debian-source ${TW_DEBIAN_SOURCES}
            protobuf-c cmocka jansson zlib libzstd pcre2
    COMMAND_ERROR_IS_FATAL ANY)
  # What their configure scripts would write; DEFINE says it all.
  set(TW_NO_CONFIG ${CMAKE_CURRENT_BINARY_DIR}/no-config)
  file(WRITE ${TW_NO_CONFIG}/jansson_private_config.h "")
  tw_build_dependency(PROTOBUF_C protobuf-c SOURCES protobuf-c/protobuf-c.c INCLUDE .
    DEFINE PACKAGE_VERSION="Debian's" PACKAGE_STRING="protobuf-c, Debian's")
  # For what must not be instrumented like the rest, and is compiled from sources in one step.
  set(PROTOBUF_C_LINK_LIBRARIES ${TW_DEBIAN_SOURCES}/protobuf-c/protobuf-c/protobuf-c.c)
  tw_build_dependency(CMOCKA cmocka SOURCES src/cmocka.c INCLUDE include
    DEFINE _GNU_SOURCE HAVE_MALLOC_H HAVE_INTTYPES_H HAVE_SIGNAL_H HAVE_STRINGS_H HAVE_CLOCK_REALTIME
           HAVE_STRUCT_TIMESPEC HAVE_GCC_THREAD_LOCAL_STORAGE)
  tw_build_dependency(JANSSON jansson SOURCES src/*.c INCLUDE src android
    DEFINE HAVE_STDINT_H HAVE_FCNTL_H HAVE_UNISTD_H HAVE_SYS_TIME_H HAVE_SYS_TYPES_H
           HAVE_OPEN HAVE_CLOSE HAVE_READ HAVE_GETTIMEOFDAY)
  # What its configure script would make is there under other names.
  configure_file(${TW_DEBIAN_SOURCES}/pcre2/src/pcre2.h.generic
                 ${TW_DEBIAN_SOURCES}/pcre2/src/pcre2.h COPYONLY)
  configure_file(${TW_DEBIAN_SOURCES}/pcre2/src/pcre2_chartables.c.dist
                 ${TW_DEBIAN_SOURCES}/pcre2/src/pcre2_chartables.c COPYONLY)
  tw_build_dependency(PCRE2 pcre2 INCLUDE src
    SOURCES src/pcre2_auto_possess.c src/pcre2_chartables.c src/pcre2_compile.c src/pcre2_context.c
            src/pcre2_extuni.c src/pcre2_find_bracket.c src/pcre2_match.c src/pcre2_match_data.c
            src/pcre2_newline.c src/pcre2_ord2utf.c src/pcre2_script_run.c src/pcre2_string_utils.c
            src/pcre2_study.c src/pcre2_tables.c src/pcre2_ucd.c src/pcre2_valid_utf.c
            src/pcre2_xclass.c
    DEFINE PCRE2_CODE_UNIT_WIDTH=8 SUPPORT_PCRE2_8 LINK_SIZE=2 NEWLINE_DEFAULT=2 HEAP_LIMIT=20000000
           MATCH_LIMIT=10000000 MATCH_LIMIT_DEPTH=MATCH_LIMIT PARENS_NEST_LIMIT=250
           MAX_NAME_COUNT=10000 MAX_NAME_SIZE=32 HAVE_MEMMOVE HAVE_STDINT_H HAVE_LIMITS_H)
  tw_build_dependency(ZLIB zlib SOURCES *.c INCLUDE . DEFINE HAVE_UNISTD_H _LARGEFILE64_SOURCE=1)
  # Without its assembly, whose stores no sanitizer sees.
  tw_build_dependency(ZSTD libzstd INCLUDE lib
    SOURCES lib/common/*.c lib/compress/*.c lib/decompress/*.c
    DEFINE ZSTD_DISABLE_ASM XXH_NAMESPACE=ZSTD_)
endif()
