# How many compilers may run at once. A file that includes libtorch takes up to 1.7 GB, so memory
# sets the limit; the number of cores is Ninja's business.

cmake_host_system_information(RESULT sdx_memory_mib QUERY TOTAL_PHYSICAL_MEMORY)
cmake_host_system_information(RESULT sdx_cores QUERY NUMBER_OF_LOGICAL_CORES)
if(SDX_HEAVY_JOBS)
  set(sdx_heavy_jobs "${SDX_HEAVY_JOBS}")
else()
  math(EXPR sdx_heavy_jobs "${sdx_memory_mib} / 2048")
  if(sdx_heavy_jobs GREATER sdx_cores)
    set(sdx_heavy_jobs "${sdx_cores}")
  endif()
  if(sdx_heavy_jobs LESS 1)
    set(sdx_heavy_jobs 1)
  endif()
endif()
set_property(GLOBAL PROPERTY JOB_POOLS compile=${sdx_heavy_jobs} link=1)
set(CMAKE_JOB_POOL_COMPILE compile)
set(CMAKE_JOB_POOL_LINK link)
