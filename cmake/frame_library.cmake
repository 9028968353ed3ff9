# libtracewire-frame: the frame codec for those who want nothing else, static and shared, from the
# two files that scripts/amalgamate makes, so that what is vendored and what is installed are one.
# Freestanding: it gets none of tw_flags, whose stack protector and fortification need a C library.

find_package(Python3 REQUIRED COMPONENTS Interpreter)
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(TW_AMALGAM ${PROJECT_BINARY_DIR}/amalgam)
set(TW_FRAME_MAP ${PROJECT_SOURCE_DIR}/src/frame/libtracewire-frame.map)
file(GLOB amalgamated CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/include/tracewire/*.h
  ${PROJECT_SOURCE_DIR}/src/wire/field.* ${PROJECT_SOURCE_DIR}/src/frame/codec*)
add_custom_command(
  OUTPUT ${TW_AMALGAM}/tw_frame.c ${TW_AMALGAM}/tw_frame.h
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/scripts/amalgamate ${TW_AMALGAM}
  DEPENDS ${PROJECT_SOURCE_DIR}/scripts/amalgamate ${amalgamated}
  COMMENT "Joining the frame codec into two files"
  VERBATIM)
add_custom_target(tw_amalgam DEPENDS ${TW_AMALGAM}/tw_frame.c ${TW_AMALGAM}/tw_frame.h)

foreach(kind static shared)
  string(TOUPPER ${kind} type)
  set(lib tracewire_frame_${kind})
  add_library(${lib} ${type} ${TW_AMALGAM}/tw_frame.c ${TW_AMALGAM}/tw_frame.h)
  add_dependencies(${lib} tw_amalgam)
  set_target_properties(${lib} PROPERTIES
    OUTPUT_NAME tracewire-frame EXPORT_NAME frame-${kind}
    C_STANDARD 11 C_VISIBILITY_PRESET default)
  target_compile_options(${lib} PRIVATE -Wall -Wextra -Werror -ffreestanding)
  target_include_directories(${lib} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
endforeach()
set_target_properties(tracewire_frame_shared PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${TW_FRAME_MAP})
target_link_options(tracewire_frame_shared PRIVATE
  -Wl,--version-script=${TW_FRAME_MAP} -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)

# What cmake --install puts where, with pkg-config and CMake files.
set(TW_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/tracewire-frame)
install(TARGETS tracewire_frame_static tracewire_frame_shared EXPORT tracewire-frame)
install(FILES include/tracewire/common.h include/tracewire/frame.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tracewire)
install(EXPORT tracewire-frame NAMESPACE tracewire:: FILE tracewire-frame-config.cmake
  DESTINATION ${TW_CMAKE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tracewire-frame-config-version.cmake
  COMPATIBILITY SameMinorVersion)
configure_file(packaging/libtracewire-frame.pc.in libtracewire-frame.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tracewire-frame-config-version.cmake
  DESTINATION ${TW_CMAKE_DIR})
install(FILES ${PROJECT_BINARY_DIR}/libtracewire-frame.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
