"""What a run leaves behind for people: a page, tables, and a comparison with another run.

model                        a run as it is kept; `reading` reads it again
page, sections/, words       the page, its sections, what they call things in both languages
charts, canvas, curves       the drawings; `scales` the axes
markup, figures              HTML and SVG; numbers as people read them
tables                       CSV and HdrHistogram logs
compare                      the command `floodgate compare`: `comparing` has the ratios, `alike` says whether two runs
                             may be compared at all, `compare_page` draws it
"""
