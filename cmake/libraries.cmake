# The libraries, static and shared, with pkg-config and CMake files for those who use them.
#
# tw_library(NAME DESCRIPTION TEXT HEADERS file... SOURCES file... | LAYERS layer...
#            [PACKAGES name... MODULES module...])
#
# libtracewire-NAME with the headers include/tracewire/file, as the targets
# tracewire_NAME_{static,shared}. It is compiled from SOURCES, or made of the first of LAYERS and
# what that needs of the others, joined into one object in which only what the headers declare can
# be seen from outside: a program may link our other libraries or its own protobuf-c beside it.
# PACKAGES are what it needs of others, as tw_package() calls them, MODULES their pkg-config names.
# src/NAME/libtracewire-NAME.map has its symbols and their version.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
find_package(Python3 REQUIRED COMPONENTS Interpreter)

# That of binutils, whatever compiles: LLVM's fails at a symbol that is needed, where this keeps it.
find_program(TW_OBJCOPY objcopy REQUIRED)

# tw_joined_object(RET_OBJECT NAME LAYERS...): the object. What nobody calls is left out, and then
# forgotten: an undefined symbol would look like something that the library needs.
function(tw_joined_object ret_object name first)
  set(object ${PROJECT_BINARY_DIR}/tracewire-${name}.o)
  list(TRANSFORM ARGN REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE others)
  add_custom_command(OUTPUT ${object}
    COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o ${object} -Wl,--gc-sections,--gc-keep-exported
            -Wl,--whole-archive $<TARGET_FILE:${first}> -Wl,--no-whole-archive ${others}
    COMMAND ${TW_OBJCOPY} --localize-hidden -X -w --strip-unneeded-symbol=*
            --keep-symbol=tw_* ${object}
    DEPENDS ${first} ${ARGN}
    COMMENT "Joining the ${name} library into one object"
    VERBATIM)
  add_custom_target(tw_${name}_object DEPENDS ${object})
  set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  set(${ret_object} ${object} PARENT_SCOPE)
endfunction()

function(tw_install_library name description headers packages modules)
  set(files ${PROJECT_BINARY_DIR}/packaging)
  set(config tracewire-${name}-config)
  set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/tracewire-${name})
  install(TARGETS tracewire_${name}_static tracewire_${name}_shared EXPORT tracewire-${name})
  list(TRANSFORM headers PREPEND include/tracewire/)
  install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tracewire)
  install(EXPORT tracewire-${name} NAMESPACE tracewire:: FILE tracewire-${name}-targets.cmake
    DESTINATION ${folder})
  write_basic_package_version_file(${files}/${config}-version.cmake COMPATIBILITY SameMinorVersion)
  configure_file(packaging/library-config.cmake.in ${files}/${config}.cmake @ONLY)
  install(FILES ${files}/${config}.cmake ${files}/${config}-version.cmake DESTINATION ${folder})
  list(JOIN modules ", " requires)
  configure_file(packaging/library.pc.in ${files}/libtracewire-${name}.pc @ONLY)
  install(FILES ${files}/libtracewire-${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

function(tw_library name)
  cmake_parse_arguments(ARG "" "DESCRIPTION" "HEADERS;SOURCES;LAYERS;PACKAGES;MODULES" ${ARGN})
  set(map ${PROJECT_SOURCE_DIR}/src/${name}/libtracewire-${name}.map)
  if(ARG_LAYERS)
    tw_joined_object(ARG_SOURCES ${name} ${ARG_LAYERS})
  endif()
  foreach(kind static shared)
    string(TOUPPER ${kind} type)
    set(lib tracewire_${name}_${kind})
    add_library(${lib} ${type} ${ARG_SOURCES})
    set_target_properties(${lib} PROPERTIES
      LINKER_LANGUAGE C OUTPUT_NAME tracewire-${name} EXPORT_NAME ${name}-${kind})
    if(ARG_LAYERS)
      add_dependencies(${lib} tw_${name}_object)
    endif()
    target_include_directories(${lib} INTERFACE
      $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
    list(TRANSFORM ARG_PACKAGES REPLACE "(.+)" "PkgConfig::\\1" OUTPUT_VARIABLE needed)
    target_link_libraries(${lib} PRIVATE ${needed})
  endforeach()
  set_target_properties(tracewire_${name}_shared PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${map})
  target_link_options(tracewire_${name}_shared PRIVATE
    -Wl,--version-script=${map} -Wl,-z,defs -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
  tw_install_library(${name} "${ARG_DESCRIPTION}" "${ARG_HEADERS}" "${ARG_PACKAGES}"
    "${ARG_MODULES}")
endfunction()

# ---- the frame codec ----

# From the two files that scripts/amalgamate makes, so that what is vendored and what is installed
# are one. Freestanding: it gets none of tw_flags, whose stack protector and fortification need a C
# library.
set(TW_AMALGAM ${PROJECT_BINARY_DIR}/amalgam)
file(GLOB amalgamated CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/include/tracewire/*.h
  ${PROJECT_SOURCE_DIR}/src/wire/field.* ${PROJECT_SOURCE_DIR}/src/frame/codec*)
add_custom_command(
  OUTPUT ${TW_AMALGAM}/tw_frame.c ${TW_AMALGAM}/tw_frame.h
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/amalgamate frame ${TW_AMALGAM}
  DEPENDS ${PROJECT_SOURCE_DIR}/scripts/amalgamate ${amalgamated}
  COMMENT "Joining the frame codec into two files"
  VERBATIM)
add_custom_target(tw_amalgam DEPENDS ${TW_AMALGAM}/tw_frame.c ${TW_AMALGAM}/tw_frame.h)

tw_library(frame
  DESCRIPTION "Encodes and decodes the frames of the Perfetto tracing protocol"
  HEADERS common.h frame.h
  SOURCES ${TW_AMALGAM}/tw_frame.c ${TW_AMALGAM}/tw_frame.h)
foreach(lib tracewire_frame_static tracewire_frame_shared)
  add_dependencies(${lib} tw_amalgam)
  set_target_properties(${lib} PROPERTIES C_STANDARD 11 C_VISIBILITY_PRESET default)
  target_compile_options(${lib} PRIVATE -Wall -Wextra -Werror -ffreestanding)
endforeach()

if(TW_BUILD_DEPENDENCIES) # for tests of our own: nobody installs what is linked to those
  return()
endif()

# ---- both ends ----

tw_library(service
  DESCRIPTION "The service of the Perfetto tracing protocol, without its sockets"
  HEADERS common.h service.h
  LAYERS tw_service tw_smb tw_frame tw_wire tw_proto tw_base
  PACKAGES PROTOBUF_C PCRE2 ZLIB ZSTD
  MODULES libprotobuf-c libpcre2-8 zlib libzstd)

tw_library(producer
  DESCRIPTION "Writes traces into a service of the Perfetto tracing protocol"
  HEADERS common.h producer.h track_event.h
  LAYERS tw_producer tw_smb tw_pump tw_frame tw_wire tw_base)

tw_library(consumer
  DESCRIPTION "Takes traces from a service of the Perfetto tracing protocol, and reads them"
  HEADERS common.h consumer.h
  LAYERS tw_consumer tw_pump tw_frame tw_wire tw_proto tw_base)

# ---- their pages ----

add_custom_target(api-docs
  COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/api
  COMMAND ${CMAKE_COMMAND} -E env TW_INPUT=include/tracewire TW_OUTPUT=${PROJECT_BINARY_DIR}/api
          TW_VERSION=${PROJECT_VERSION} doxygen docs/api/Doxyfile
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
  COMMENT "Pages about the public headers: api/index.html"
  VERBATIM)
