"""Thousands of pictures from a file of jobs, unattended, on one machine or many.

Data flows one way: file -> `sources` -> `jobs` -> `plan` -> `dispatch` -> an engine (`local`, `processes`,
`cluster`) -> `worker` -> `stores`. How a picture is made is an instrument's affair; instruments are found by
their entry points (`instruments`), so nothing here imports one.
"""
