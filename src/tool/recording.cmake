# tw_recording: the reader of recorded connections, for the decode command and the replay tests.
if(NOT TARGET tw_recording)
  tw_package(JANSSON jansson)
  tw_package(ZLIB zlib)
  tw_layer(recording ${PROJECT_SOURCE_DIR}/src/tool/recording.c
    DEPENDS tw_base PkgConfig::JANSSON PkgConfig::ZLIB)
endif()
