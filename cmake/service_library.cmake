# libtracewire-service: the service for those who bring their own sockets, static and shared. It is
# made of the layers below as they are, joined into one object in which only what the header declares
# can be seen from outside: a program may link the frame library or its own protobuf-c beside it.

set(TW_SERVICE_MAP ${PROJECT_SOURCE_DIR}/src/service/libtracewire-service.map)
set(TW_SERVICE_OBJECT ${PROJECT_BINARY_DIR}/tracewire-service.o)
set(layers tw_service tw_smb tw_frame tw_wire tw_proto tw_base)
list(TRANSFORM layers REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
add_custom_command(
  OUTPUT ${TW_SERVICE_OBJECT}
  COMMAND ${CMAKE_LINKER} -r -o ${TW_SERVICE_OBJECT} ${objects}
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${TW_SERVICE_OBJECT}
  DEPENDS ${layers} ${objects}
  COMMENT "Joining the service into one object"
  COMMAND_EXPAND_LISTS
  VERBATIM)
add_custom_target(tw_service_object DEPENDS ${TW_SERVICE_OBJECT})

# What it needs of others: packages as tw_package() calls them, and their pkg-config modules.
set(TW_SERVICE_PACKAGES PROTOBUF_C PCRE2 ZLIB ZSTD)
set(TW_SERVICE_MODULES libprotobuf-c libpcre2-8 zlib libzstd)
foreach(kind static shared)
  string(TOUPPER ${kind} type)
  set(lib tracewire_service_${kind})
  add_library(${lib} ${type} ${TW_SERVICE_OBJECT})
  add_dependencies(${lib} tw_service_object)
  set_source_files_properties(${TW_SERVICE_OBJECT} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  set_target_properties(${lib} PROPERTIES
    LINKER_LANGUAGE C OUTPUT_NAME tracewire-service EXPORT_NAME service-${kind})
  target_include_directories(${lib} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
  foreach(name ${TW_SERVICE_PACKAGES})
    target_link_libraries(${lib} PRIVATE PkgConfig::${name})
  endforeach()
endforeach()
set_target_properties(tracewire_service_shared PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${TW_SERVICE_MAP})
target_link_options(tracewire_service_shared PRIVATE
  -Wl,--version-script=${TW_SERVICE_MAP} -Wl,-z,defs -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)

set(TW_SERVICE_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/tracewire-service)
install(TARGETS tracewire_service_static tracewire_service_shared EXPORT tracewire-service)
install(FILES include/tracewire/common.h include/tracewire/service.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/tracewire)
install(EXPORT tracewire-service NAMESPACE tracewire:: FILE tracewire-service-targets.cmake
  DESTINATION ${TW_SERVICE_CMAKE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tracewire-service-config-version.cmake
  COMPATIBILITY SameMinorVersion)
configure_file(packaging/tracewire-service-config.cmake.in tracewire-service-config.cmake @ONLY)
list(JOIN TW_SERVICE_MODULES ", " TW_SERVICE_REQUIRES)
configure_file(packaging/libtracewire-service.pc.in libtracewire-service.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tracewire-service-config.cmake
  ${PROJECT_BINARY_DIR}/tracewire-service-config-version.cmake
  DESTINATION ${TW_SERVICE_CMAKE_DIR})
install(FILES ${PROJECT_BINARY_DIR}/libtracewire-service.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
