# tw_recording: the reader of recorded connections, for the decode command and the replay tests.
if(NOT TARGET tw_recording)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET GLOBAL jansson)
  pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET GLOBAL zlib)
  tw_layer(recording ${PROJECT_SOURCE_DIR}/src/tool/recording.c
    DEPENDS tw_base PkgConfig::JANSSON PkgConfig::ZLIB)
endif()
